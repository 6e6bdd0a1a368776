//! What a transport error means. Its URL is dropped first: some vendors want secrets in the query string.

use std::error::Error;
use std::io;

use crate::vendor::error::VendorError;
use crate::vendor::text::sanitize;

use super::fence::FenceError;

/// A request that brought no status.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    /// No connection came about, so the request was not sent.
    pub connecting: bool,
    /// The time was over.
    pub timed_out: bool,
    /// What it means.
    pub error: VendorError,
}

impl Broken {
    /// Reads the error's chain of causes.
    pub fn read(error: reqwest::Error, authority: &str) -> Broken {
        let error = error.without_url();
        let chain = causes(&error);
        let fence = chain.iter().find_map(|cause| cause.downcast_ref::<FenceError>());
        let tls = chain.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>());
        let connecting = error.is_connect() || fence.is_some();
        let timed_out = error.is_timeout();
        let why = match chain.last() {
            _ if timed_out && connecting => "no TCP and TLS connection in time".to_owned(),
            _ if timed_out => "no answer in time".to_owned(),
            // In the words of the TLS library that is a page of its manual.
            _ if !connecting && chain.iter().any(|cause| cut(*cause)) => "the connection was closed before the answer was whole".to_owned(),
            Some(root) => sanitize(&root.to_string()),
            None => sanitize(&error.to_string()),
        };
        let authority = authority.to_owned();
        let error = match (fence, tls) {
            (Some(fence), _) => VendorError::EndpointNotAllowed(fence.clone()),
            (None, Some(tls)) => of_tls(tls, authority),
            (None, None) => VendorError::Unreachable { authority, why },
        };
        Broken {
            connecting,
            timed_out,
            error,
        }
    }
}

fn cut(cause: &(dyn Error + 'static)) -> bool {
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    kind.is_some_and(|kind| matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset))
}

/// The causes from the outermost to the root. `std::io::Error` hides the error that it wraps from `source`, so it is opened.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut all: Vec<&'a (dyn Error + 'static)> = Vec::new();
    let mut next = Some(error);
    // A chain is short; the bound only keeps a cyclic one from holding us.
    while let Some(cause) = next
        && all.len() < 32
    {
        all.push(cause);
        next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    all
}

/// Which TLS trouble: whom to trust, what to speak, or something else.
fn of_tls(error: &rustls::Error, authority: String) -> VendorError {
    use rustls::AlertDescription as Alert;
    let why = sanitize(&error.to_string());
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => VendorError::TlsUntrusted { authority, why },
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity) => {
            VendorError::TlsTooOld { authority, why }
        }
        rustls::Error::InvalidMessage(_) => VendorError::Unreachable {
            authority,
            why: format!("it does not speak TLS ({why})"),
        },
        _ => VendorError::Unreachable { authority, why },
    }
}
