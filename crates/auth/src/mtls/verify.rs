//! Whether an authority trusted here vouches for a certificate.

use std::{sync::Arc, time::Duration};

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use towergate_core::{Directory, PeerCertificate};
use uuid::Uuid;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::Subject;
use crate::per_worker::PerWorker;

/// A certificate that was found good.
pub(super) struct Verified {
    /// The authorities that were trusted then.
    authorities: Vec<Arc<[u8]>>,
    subject: Arc<Subject>,
}

/// Whom to trust.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust {
    pub(super) authorities: Vec<Uuid>,
    /// Whether also such as are not their own issuer.
    pub(super) partial_chains: bool,
}

impl Trust {
    /// Whose this certificate is, if it is good now (in seconds since 1970): found out once in each
    /// worker for as long as the same authorities are trusted; its own times are looked at each time.
    pub(super) fn subject(
        &self,
        directory: &Directory,
        shown: &PeerCertificate,
        now: u64,
        verified: &PerWorker<Verified>,
    ) -> Option<Arc<Subject>> {
        let at = i64::try_from(now).ok()?;
        let known = verified.find(shown.own(), |known| {
            self.are_the_same(directory, &mut known.authorities).then(|| known.subject.clone())
        });
        let subject = match known {
            Some(subject) => subject,
            None => {
                let authorities: Vec<_> = self.in_directory(directory).cloned().collect();
                self.verify(&authorities, shown, now)?;
                let subject = Arc::new(Subject::of(shown.own())?);
                verified.keep(shown.own(), Verified { authorities, subject: subject.clone() });
                subject
            }
        };
        subject.is_valid(at).then_some(subject)
    }

    fn in_directory<'a>(&'a self, directory: &'a Directory) -> impl Iterator<Item = &'a Arc<[u8]>> {
        self.authorities.iter().filter_map(|id| directory.authority(*id))
    }

    /// Whether these are the authorities still. Equal ones of another configuration are remembered as
    /// that one has them, so that they need not be compared again.
    fn are_the_same(&self, directory: &Directory, before: &mut [Arc<[u8]>]) -> bool {
        if self.in_directory(directory).count() != before.len() {
            return false;
        }
        before.iter_mut().zip(self.in_directory(directory)).all(|(before, now)| {
            let is_same = Arc::ptr_eq(before, now) || before == now;
            if is_same && !Arc::ptr_eq(before, now) {
                *before = now.clone();
            }
            is_same
        })
    }

    fn verify(&self, authorities: &[Arc<[u8]>], shown: &PeerCertificate, now: u64) -> Option<()> {
        let certificates: Vec<_> = authorities.iter().map(|der| CertificateDer::from(&**der)).collect();
        let (roots, others): (Vec<_>, Vec<_>) =
            certificates.iter().partition(|certificate| self.partial_chains || is_root(certificate));
        let anchors: Vec<TrustAnchor<'_>> =
            roots.into_iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok()).collect();
        let sent = shown.between().map(CertificateDer::from);
        let between: Vec<_> = others.into_iter().cloned().chain(sent).collect();
        let own = CertificateDer::from(shown.own());
        let certificate = EndEntityCert::try_from(&own).ok()?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let usage = KeyUsage::client_auth();
        let path =
            certificate.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &between, time, usage, None, None);
        path.ok().map(drop)
    }
}

/// Whether a certificate is its own issuer's.
fn is_root(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
}
