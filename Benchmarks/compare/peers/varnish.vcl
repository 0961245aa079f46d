# Varnish before the origin. Words between @ are filled in by the driver.
vcl 4.1;

backend origin {
  .host = "127.0.0.1";
  .port = "@ORIGIN_PORT@";
  .max_connections = 1000;
}

sub vcl_recv {
  if (req.url ~ "^/api/") {
    return (pass);
  }
  # The built-in rules pass every request with a cookie; the other caches answer those.
  unset req.http.Cookie;
}
