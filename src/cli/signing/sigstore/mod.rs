//! `modelwatch sign [sigstore]`: as an identity, with a key that exists for one signature.
//!
//! The certificate authority issues a certificate for the identity of a token, timestamp authorities confirm the time, and
//! the transparency logs get an entry. What they answer is verified before the next step, and the whole signature as
//! `verify sigstore` does it before it is called one. If a step fails, the signature is left beside its place, and `--resume`
//! goes on while the certificate is valid.

mod certificate;
mod log;
mod network;

use std::path::PathBuf;
use std::thread;

use anyhow::Context as _;
use jiff::Timestamp;
use model_signing::sigstore::{
    Certificate, Check, Draft, EphemeralKey, Finished, IdentityToken, Service, Services, Trust,
};
use model_signing::statement::Statement;
use model_signing::verify::{MAX_SIGNATURE_BYTES, VerifyError};
use url::Url;

use super::common::{Common, Signed};
use super::files::{is_standard, read};
use super::identity::IdentityArgs;
use super::lifetime::Order;
use super::messages::{Warnings, say};
use super::stamping;
use super::trusted::{InstanceArgs, Trusted};
use crate::cli::output::Mistake;
use crate::clock;
use network::Network;

/// How long the certificate must still be valid when the model has been hashed, in seconds: for two rounds of requests.
const RESERVE_SECONDS: i64 = 120;

/// How far the time of a log or an authority may be ahead of this machine's clock, in seconds, for its signature to be
/// verified a moment later.
const MAX_AHEAD_SECONDS: i64 = 60;

/// Arguments of `sign sigstore`.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(mut_arg("register", |register| register.hide(false)))]
pub(in crate::cli) struct SigstoreArgs {
    #[command(flatten)]
    pub(super) common: Common,

    #[command(flatten)]
    instance: InstanceArgs,

    #[command(flatten)]
    identity: IdentityArgs,
}

impl SigstoreArgs {
    /// The files that are read, besides secrets.
    pub(super) fn inputs(&self) -> Option<&PathBuf> {
        self.instance.input()
    }
}

/// One signing: with which services, and what is trusted of their answers.
struct Signing<'a> {
    args: &'a SigstoreArgs,
    services: Services,
    trusted: Trusted,
    network: Network,
}

pub(super) fn sign(args: &SigstoreArgs, warnings: &mut Warnings) -> anyhow::Result<Signed> {
    let (trusted, config) = args.instance.load()?;
    let services = config.select(now())?;
    let asked = !services.timestamp_authorities.is_empty();
    anyhow::ensure!(
        !asked || !trusted.trust().timestamp_authorities().is_empty(),
        "the signing configuration names a timestamp authority, and the trusted root has none: nobody could verify its \
         timestamps"
    );
    let mut signing = Signing {
        args,
        services,
        trusted,
        network: Network::new()?,
    };
    if args.common.stamping.resume {
        signing.resume(warnings)
    } else {
        signing.sign(warnings)
    }
}

impl Signing<'_> {
    fn sign(&mut self, warnings: &mut Warnings) -> anyhow::Result<Signed> {
        let common = &self.args.common;
        let (hashing, place) = common.prepare(warnings)?;
        let provider = self.services.provider.as_ref();
        let provider = provider.map(|provider: &Service| provider.url.as_str());
        let mut identity = self.args.identity.obtain(provider, warnings)?;
        let order = identity.order(hashing.estimate(), warnings)?;
        let key = EphemeralKey::new()?;
        // In a thread of its own: if there is no certificate, the program ends without waiting for it.
        let hashed = thread::spawn(move || hashing.payload());
        let mut certificate = None;
        if order == Order::CertificateFirst {
            certificate = Some(self.certificate(identity.token(), &key, warnings)?);
        }
        let (payload, statement) = hashed
            .join()
            .map_err(|_| anyhow::anyhow!("the model was not hashed: the program has an error"))??;
        let is_fresh = |certificate: &Certificate| certificate.not_after - now() >= RESERVE_SECONDS;
        let certificate = if let Some(certificate) = certificate.filter(is_fresh) {
            certificate
        } else {
            identity.renew()?;
            self.certificate(identity.token(), &key, warnings)?
        };
        let draft = Draft::sign(payload.into_bytes(), &key, certificate)?;
        // From here on the key cannot be used again.
        drop(key);
        drop(identity);
        let finished = self.complete(draft)?;
        place.write(&finished.file)?;
        Ok(Signed {
            statement,
            verified: Some(finished.verified),
            file: finished.file,
        })
    }

    /// Goes on with what an earlier run has left.
    fn resume(&mut self, warnings: &mut Warnings) -> anyhow::Result<Signed> {
        let common = &self.args.common;
        let signature = &common.signature;
        if is_standard(signature) {
            return Err(Mistake("--resume needs a --signature that is a file".to_owned()).into());
        }
        let place = stamping::incomplete(signature);
        let reading = || place.display().to_string();
        let draft = Draft::parse(&read(&place, MAX_SIGNATURE_BYTES)?).with_context(reading)?;
        let statement = Statement::parse(draft.payload()).with_context(reading)?;
        let left = draft.certificate().not_after - now();
        anyhow::ensure!(
            left > 0,
            "{}: its certificate has expired at {}, and nothing can be added to a signature after that: sign again, \
             without --resume",
            place.display(),
            time(draft.certificate().not_after)
        );
        let identity = &draft.certificate().identity;
        let names: Vec<&str> = identity.names.iter().map(|name| &*name.text).collect();
        say(&format!(
            "Completing the signature of {}; the identity provider is {}",
            names.join(", "),
            identity.issuer
        ));
        say(&format!(
            "The certificate of {} is valid for another {left} seconds",
            place.display()
        ));
        let destination = common.place_of(&statement, warnings)?;
        let finished = self.complete(draft)?;
        destination.write(&finished.file)?;
        stamping::completed(signature)?;
        Ok(Signed {
            statement: super::verify::signed(&statement),
            verified: Some(finished.verified),
            file: finished.file,
        })
    }

    /// A certificate that verifiers will accept, for the identity of the token.
    fn certificate(
        &mut self,
        token: &IdentityToken,
        key: &EphemeralKey,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Certificate> {
        let url = self.services.authority.url.clone();
        let naming = || format!("the certificate authority {url}");
        let answer = certificate::request(&self.network, &url, token, key).with_context(naming)?;
        let accept = |trust: &Trust| Certificate::accept(&answer, key, trust, now());
        let accepted = match accept(self.trusted.trust()) {
            Err(error)
                if error.check.depends_on_trust() && self.trusted.refresh_for_a_failure() =>
            {
                accept(self.trusted.trust())
            }
            accepted => accepted,
        };
        let accepted = accepted.with_context(naming)?;
        if let Some(warning) =
            certificate::check_identity(&accepted.identity, token).with_context(naming)?
        {
            warnings.warn(warning)?;
        }
        Ok(accepted)
    }

    /// Adds what the signature lacks, and verifies it. If that fails, what there is of it is left for `--resume`.
    fn complete(&mut self, mut draft: Draft) -> anyhow::Result<Finished> {
        let outcome = self.add(&mut draft).and_then(|()| self.finish(&mut draft));
        let signature = &self.args.common.signature;
        outcome.map_err(|why| {
            let until = time(draft.certificate().not_after);
            let until = format!(" until {until}");
            let lacks = "lacks a timestamp or a log entry";
            stamping::left(signature, &draft.to_json(), why, lacks, &until)
        })
    }

    fn add(&self, draft: &mut Draft) -> anyhow::Result<()> {
        let trust = self.trusted.trust();
        let authorities = self.services.timestamp_authorities.iter();
        let mut urls: Vec<(Url, bool)> = Vec::new();
        for service in authorities {
            urls.push((network::address(&service.url, "")?, true));
        }
        let others = self.args.common.stamping.urls();
        urls.extend(others.iter().map(|url| (url.clone(), false)));
        for (url, is_trusted) in urls.iter().skip(draft.timestamps()) {
            alive(draft)?;
            let trusted = trust.timestamp_authorities();
            let stamp = self
                .network
                .stamp(url, draft.signature(), is_trusted.then_some(trusted));
            draft.add_timestamp(stamp?);
        }
        for service in self.services.logs.iter().skip(draft.entries()) {
            alive(draft)?;
            log::add(&self.network, draft, service, trust)?;
        }
        Ok(())
    }

    fn finish(&mut self, draft: &mut Draft) -> anyhow::Result<Finished> {
        self.await_time(draft);
        let finished = match draft.finish(self.trusted.trust(), now()) {
            Err(VerifyError::Keyless(error))
                if error.check.depends_on_trust() && self.trusted.refresh_for_a_failure() =>
            {
                draft.finish(self.trusted.trust(), now())
            }
            finished => finished,
        };
        finished.map_err(|error| {
            // What the logs have answered may be wrong: they are asked again for the entries that they have.
            draft.remove_entries();
            if let VerifyError::Keyless(keyless) = &error
                && matches!(keyless.check, Check::Time)
            {
                draft.remove_timestamps();
            }
            anyhow::Error::from(error)
                .context("the services' answers make no signature that verifies")
        })
    }

    /// Waits until this machine's clock has reached the time of every entry, if it is only a little behind.
    fn await_time(&self, draft: &Draft) {
        let ahead = draft.latest_time().unwrap_or_default() - now();
        if (1..=MAX_AHEAD_SECONDS).contains(&ahead) {
            self.network.pause(ahead);
        }
    }
}

fn alive(draft: &Draft) -> anyhow::Result<()> {
    let until = draft.certificate().not_after;
    anyhow::ensure!(
        now() <= until,
        "the certificate has expired at {}, before everything was answered",
        time(until)
    );
    Ok(())
}

fn now() -> i64 {
    clock::now().as_second()
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
