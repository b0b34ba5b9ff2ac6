//! The trusted authorities for mail: the machine's, Mozilla's on a machine without any, and the configured ones.

use std::path::Path;

use lettre::transport::smtp::client::{
    Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};

use crate::file;
use crate::notify::NotifyError;

/// The file of certificate authorities is read whole. Debian's complete bundle has 220 kB.
const CA_FILE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// TLS to `host`, which its certificate must name.
pub(super) async fn parameters(
    host: &str,
    ca_file: Option<&Path>,
) -> Result<TlsParameters, NotifyError> {
    let own = match ca_file {
        Some(path) => Some(certificates(path).await?),
        None => None,
    };
    let with_own = |builder: TlsParametersBuilder| match &own {
        Some(own) => builder.add_root_certificate(own.clone()),
        None => builder,
    };
    let machine = TlsParameters::builder(host.to_owned());
    with_own(machine)
        .build()
        .or_else(|_| {
            let builder = TlsParameters::builder(host.to_owned());
            let none = with_own(builder.certificate_store(CertificateStore::None));
            mozilla()
                .fold(none, TlsParametersBuilder::add_root_certificate)
                .build()
        })
        .map_err(|error| NotifyError::Setup {
            what: format!("TLS to {host} cannot be set up: {error}"),
        })
}

/// TLS to the same machine: its certificate is not verified, because no authority issues one for it. Data that stays on
/// the machine needs no TLS, but some servers accept a password only under it.
pub(super) fn unverified(host: &str) -> Result<TlsParameters, NotifyError> {
    TlsParameters::builder(host.to_owned())
        .certificate_store(CertificateStore::None)
        .dangerous_accept_invalid_certs(true)
        .dangerous_accept_invalid_hostnames(true)
        .build()
        .map_err(|error| NotifyError::Setup {
            what: format!("TLS to {host} cannot be set up: {error}"),
        })
}

/// Compiled in, for machines that have none, such as containers from scratch.
fn mozilla() -> impl Iterator<Item = Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| Certificate::from_der(der.to_vec()).ok())
}

async fn certificates(path: &Path) -> Result<Certificate, NotifyError> {
    let unusable = |why: &dyn std::fmt::Display| NotifyError::Setup {
        what: format!("{}: {why}", path.display()),
    };
    let read = file::read_async(path, CA_FILE_LIMIT_BYTES).await;
    let pem = read.map_err(|e| unusable(&e))?;
    // An empty list would silently add no authority.
    if !pem
        .windows(b"-----BEGIN CERTIFICATE".len())
        .any(|w| w == b"-----BEGIN CERTIFICATE")
    {
        return Err(unusable(&"contains no PEM certificate"));
    }
    Certificate::from_pem(&pem).map_err(|e| unusable(&e))
}
