// TLS of the admin API: what PoPs serve it with, and what they and purge-cli present to them.

import NIOSSL

extension FleetConfiguration {
  /// How the admin API of all PoPs is secured.
  public struct AdminTLS: Sendable, Hashable {
    /// A file of certificates of authorities in PEM: PoPs, and clients with certificates, are certified by them.
    public var ca: String
    /// A file with the certificate of a PoP in PEM, with those that lead to an authority behind it.
    public var certificate: String
    /// The file with its key in PEM.
    public var key: String
    /// Whether clients must have a certificate, too.
    public var requiresClientCertificate: Bool

    /// A way of securing it, from its parts.
    public init(
      ca: String, certificate: String, key: String, requiresClientCertificate: Bool = true
    ) {
      (self.ca, self.certificate, self.key) = (ca, certificate, key)
      self.requiresClientCertificate = requiresClientCertificate
    }

    /// What a PoP serves the admin API with.
    public func serverContext() throws(ValueProblem) -> NIOSSLContext {
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: try Self.certificates(certificate).map { .certificate($0) },
        privateKey: .privateKey(try Self.key(key)))
      if requiresClientCertificate {
        configuration.trustRoots = .certificates(try Self.certificates(ca))
        // Clients have no host names.
        configuration.certificateVerification = .noHostnameVerification
      }
      return try Self.context(configuration, certificate)
    }

    /// What a client of the admin API connects with, with a certificate of its own if it has one.
    public func clientContext(
      certificate: String?, key: String?
    ) throws(ValueProblem) -> NIOSSLContext {
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.trustRoots = .certificates(try Self.certificates(ca))
      if let certificate, let key {
        configuration.certificateChain = try Self.certificates(certificate).map {
          .certificate($0)
        }
        configuration.privateKey = .privateKey(try Self.key(key))
      }
      return try Self.context(configuration, ca)
    }

    private static func certificates(_ path: String) throws(ValueProblem) -> [NIOSSLCertificate] {
      do {
        return try NIOSSLCertificate.fromPEMFile(path)
      } catch {
        throw ValueProblem(path, "cannot be read, or holds no certificates in PEM")
      }
    }

    private static func key(_ path: String) throws(ValueProblem) -> NIOSSLPrivateKey {
      do {
        return try NIOSSLPrivateKey(file: path, format: .pem)
      } catch {
        throw ValueProblem(path, "cannot be read, or holds no key in PEM")
      }
    }

    private static func context(
      _ configuration: TLSConfiguration, _ path: String
    ) throws(ValueProblem) -> NIOSSLContext {
      do {
        return try NIOSSLContext(configuration: configuration)
      } catch {
        throw ValueProblem(path, "cannot be used: \(error)")
      }
    }
  }
}
