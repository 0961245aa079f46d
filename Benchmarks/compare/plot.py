"""The picture: CPU per request of every server as a multiple of EdgeCache's, a group of bars for
each case. Written by hand as SVG, with colours that can be read on light and on dark paper."""

from html import escape
from statistics import median

COLOURS = {"edgecache": "#2f7ed8", "nginx": "#3a9d5d", "haproxy": "#d9822b", "varnish": "#b04a9a",
           "trafficserver": "#c94f4f", "h2o": "#7d7fc9", "floor": "#8a8f98"}
SHOWN = ("hit", "miss", "forward", "working-set")
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 860, 210, 70, 12, 16, 74
MOST = 4.0  # bars beyond are cut, and say their number

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 15px; }
.small { font-size: 10px; paint-order: stroke; stroke: #ffffff; stroke-width: 3; }
.paper { fill: #ffffff; }
.faint { fill: #6e7781; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.one { stroke: #24292f; stroke-width: 1; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .faint { fill: #9198a1; }
  .small { stroke: #0d1117; }
  .paper { fill: #0d1117; }
  .grid { stroke: #3d444d; }
  .one { stroke: #e6edf3; }
}
"""


def text(x, y, words, style="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
            f"{escape(words)}</text>")


def scale(value):
    """Where a multiple lies on the axis."""
    return LEFT + min(value, MOST) / MOST * (WIDTH - LEFT - RIGHT)


def groups(results):
    """(title, [(server, multiple)]) for each case that has a number of ours."""
    found = []
    for row in results["rows"]:
        if row["kind"] not in SHOWN or "ratio" not in row["cells"][results["ours"]]:
            continue
        bars = []
        for server in results["servers"]:
            each = row["cells"][server["name"]].get("ratios")
            if each:
                bars.append((server["name"], 1 / median(each)))
        found.append((row["title"], bars))
    return found


def picture(results):
    """The SVG, as text."""
    found = groups(results)
    about = results["about"]
    height = TOP + sum(len(bars) * BAR + GAP for _, bars in found) + 48
    body = [text(16, 24, "CPU per request, EdgeCache = 1 (longer costs more)", "title")]
    x = 16
    for server in results["servers"]:
        colour = COLOURS[server["name"]]
        body.append(f'<rect x="{x}" y="38" width="10" height="10" rx="2" fill="{colour}"/>')
        body.append(text(x + 15, 47, server["label"]))
        x += 30 + 6.6 * len(server["label"])
    bottom = height - 40
    for tick in range(0, int(MOST) + 1):
        style = "one" if tick == 1 else "grid"
        body.append(f'<line x1="{scale(tick):.1f}" y1="{TOP - 8}" x2="{scale(tick):.1f}" '
                    f'y2="{bottom}" class="{style}"/>')
        body.append(text(scale(tick), TOP - 12, f"{tick}×", "small faint", "middle"))
    y = TOP
    for title, bars in found:
        middle = y + len(bars) * BAR / 2 + 4
        body.append(text(LEFT - 10, middle, title, anchor="end"))
        for name, multiple in bars:
            width = scale(multiple) - LEFT
            body.append(f'<rect x="{LEFT}" y="{y + 1}" width="{width:.1f}" height="{BAR - 2}" '
                        f'rx="2" fill="{COLOURS[name]}"/>')
            mark = f"{multiple:.2f}" + (" →" if multiple > MOST else "")
            body.append(text(LEFT + width + 4, y + BAR - 2.5, mark, "small"))
            y += BAR
        y += GAP
    body.append(text(16, height - 14, f"{about['date']} · {about['cpu']} · Linux {about['kernel']} "
                     f"· median of the rounds ({about['rounds']}) · one core for the server",
                     "small faint"))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" '
            f'aria-label="CPU per request of each server, as a multiple of EdgeCache">\n'
            f"<style>{STYLE}</style>\n"
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>\n'
            + "\n".join(body) + "\n</svg>\n")
