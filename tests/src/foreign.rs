//! Foreign places for hosts without a way out: the lab's file server answers over HTTPS under their names, with
//! certificates of an authority that the hosts of this lab trust.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use lab::os;
use lab::serve::{FileServer, Offer};
use lab::{Host, Lab};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Servers under foreign names. Dropped, they stop.
#[derive(Debug)]
pub struct Foreign {
    _server: FileServer,
    authority: String,
    names: Vec<String>,
    outside: String,
}

impl Foreign {
    /// Serves these offers to the hosts of a lab, each under its host name.
    ///
    /// # Panics
    /// When it cannot.
    pub fn of(lab: &Lab, offers: Vec<Offer>) -> Foreign {
        let mut names: Vec<String> = offers.iter().map(|offer| offer.host.clone()).collect();
        names.sort();
        names.dedup();
        let dir = lab.dir().join("foreign");
        let config = Arc::new(certified(&dir, &names));
        let outside = lab.outside();
        let address = SocketAddr::new(
            outside.parse().unwrap_or_else(|err| panic!("{outside}: {err}")),
            443,
        );
        let wrap = move |stream| -> io::Result<Tls> {
            let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            Ok(Tls(StreamOwned::new(connection, stream)))
        };
        let server = FileServer::with(address, "https", offers, wrap);
        Foreign {
            _server: server.unwrap_or_else(|err| panic!("{address}: {err}")),
            authority: good(os::read_text(&dir.join("authority.crt"))),
            names,
            outside,
        }
    }

    /// Makes a host find these names and trust their authority.
    ///
    /// # Panics
    /// When it cannot.
    pub fn known_to(&self, host: &Host) {
        let hosts = format!("{} {}", self.outside, self.names.join(" "));
        let trusted = host.write("/usr/local/share/ca-certificates/lab.crt", &self.authority);
        let known = trusted.and_then(|()| {
            host.check(&format!(
                "echo '{hosts}' >> /etc/hosts && update-ca-certificates > /dev/null 2>&1"
            ))
        });
        known.unwrap_or_else(|err| panic!("{err}"));
    }
}

/// A connection that says when it ends, as TLS wants it.
struct Tls(StreamOwned<ServerConnection, TcpStream>);

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.0.conn.send_close_notify();
        // A client that is gone already needs no farewell.
        _ = self.0.flush();
    }
}

/// Makes an authority and a certificate of its for these names.
fn certified(dir: &Path, names: &[String]) -> ServerConfig {
    good(os::make_dir(dir));
    let key = "ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    good(os::write(
        &dir.join("names"),
        format!("subjectAltName={}\n", names.join(",")),
    ));
    for line in [
        format!("req -x509 -newkey {key} -keyout authority.key -out authority.crt -days 3650 -subj /CN=lab"),
        format!("req -newkey {key} -keyout server.key -out server.csr -subj /CN=server"),
        "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 3650 -extfile names -out server.crt"
            .to_owned(),
    ] {
        let mut openssl = os::command("openssl");
        openssl.current_dir(dir).args(line.split(' '));
        good(os::checked(&mut openssl));
    }
    let chain = good(CertificateDer::pem_file_iter(dir.join("server.crt")));
    let chain: Vec<_> = chain.map(good).collect();
    let key = good(PrivateKeyDer::from_pem_file(dir.join("server.key")));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    good(good(config).with_no_client_auth().with_single_cert(chain, key))
}

fn good<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|err| panic!("{err}"))
}
