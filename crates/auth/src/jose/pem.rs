//! Public keys as operators write them.

use std::{borrow::Cow, fmt};

use x509_parser::{
    pem::Pem,
    prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate},
    public_key::RSAPublicKey,
};

/// A key taken out of its wrapping: for RSA the DER of RFC 8017, for curves the point or the octets.
#[derive(Debug)]
pub(crate) struct WrittenKey {
    pub(crate) kind: KeyKind,
    pub(crate) bytes: Vec<u8>,
}

impl WrittenKey {
    /// An RSA key of these two numbers (big-endian).
    #[cfg(feature = "jwks")]
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let [modulus, exponent] = [modulus, exponent].map(|number| number.trim_zeros());
        if modulus.is_empty() || exponent.is_empty() {
            return None;
        }
        let numbers = [der(0x02, &modulus.positive()), der(0x02, &exponent.positive())].concat();
        rsa(&der(0x30, &numbers))
    }
}

/// A number as DER has it.
#[cfg(feature = "jwks")]
trait Number {
    fn trim_zeros(&self) -> &[u8];
    fn positive(&self) -> Vec<u8>;
}

#[cfg(feature = "jwks")]
impl Number for [u8] {
    fn trim_zeros(&self) -> &[u8] {
        let zeros = self.iter().take_while(|byte| **byte == 0).count();
        self.get(zeros..).unwrap_or_default()
    }

    /// With a leading zero where the number would be taken for a negative one.
    fn positive(&self) -> Vec<u8> {
        match self.first() {
            Some(first) if *first >= 0x80 => [&[0], self].concat(),
            _ => self.to_vec(),
        }
    }
}

/// A value of this tag in DER (X.690 section 8.1).
#[cfg(feature = "jwks")]
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = length.trim_zeros();
    let mut value = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => value.push(short),
        // The length is of at most eight bytes.
        _ => {
            value.push(0x80 | length.len() as u8);
            value.extend_from_slice(length);
        }
    }
    value.extend_from_slice(content);
    value
}

/// What sort of key something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// RSA, with so many bits.
    Rsa(usize),
    P256,
    P384,
    P521,
    Ed25519,
    Other,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "an RSA key of {bits} bits"),
            Self::P256 => f.write_str("an EC key on the curve P-256"),
            Self::P384 => f.write_str("an EC key on the curve P-384"),
            Self::P521 => f.write_str("an EC key on the curve P-521"),
            Self::Ed25519 => f.write_str("an Ed25519 key"),
            Self::Other => f.write_str("a key of another type"),
        }
    }
}

/// The first public key in a PEM text.
pub(crate) fn key(text: &str) -> Result<WrittenKey, String> {
    let block = match Pem::iter_from_buffer(text.as_bytes()).next() {
        None => return Err("invalid key: no PEM block (-----BEGIN PUBLIC KEY-----)".to_owned()),
        Some(block) => block.map_err(|_| "invalid key: not PEM as it should be".to_owned())?,
    };
    let found = match block.label.as_str() {
        "PUBLIC KEY" => SubjectPublicKeyInfo::from_der(&block.contents).ok().and_then(|(_, info)| of_info(&info)),
        "CERTIFICATE" => X509Certificate::from_der(&block.contents).ok().and_then(|(_, it)| of_info(it.public_key())),
        "RSA PUBLIC KEY" => rsa(&block.contents),
        label => {
            let wanted = "'PUBLIC KEY', 'RSA PUBLIC KEY' or 'CERTIFICATE'";
            return Err(format!("invalid key: {wanted} is needed, this is '{label}'"));
        }
    };
    found.ok_or_else(|| format!("invalid key: what stands in '{}' is none", block.label))
}

fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Option<WrittenKey> {
    let bytes: &Cow<'_, [u8]> = &info.subject_public_key.data;
    let identifier = info.algorithm.algorithm.to_id_string();
    let curve = || info.algorithm.parameters.as_ref()?.as_oid().ok().map(|oid| oid.to_id_string());
    let kind = match identifier.as_str() {
        // rsaEncryption, and RSASSA-PSS, whose key is written the same way
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => return rsa(bytes),
        "1.3.101.112" => KeyKind::Ed25519,
        "1.2.840.10045.2.1" => match curve().as_deref() {
            Some("1.2.840.10045.3.1.7") => KeyKind::P256,
            Some("1.3.132.0.34") => KeyKind::P384,
            Some("1.3.132.0.35") => KeyKind::P521,
            _ => KeyKind::Other,
        },
        _ => KeyKind::Other,
    };
    Some(WrittenKey { kind, bytes: bytes.to_vec() })
}

fn rsa(der: &[u8]) -> Option<WrittenKey> {
    let (_, key) = RSAPublicKey::from_der(der).ok()?;
    // A leading zero only says that the number is not negative.
    let modulus = key.modulus.iter().skip_while(|byte| **byte == 0);
    let bits = match modulus.clone().next() {
        Some(first) => modulus.count().saturating_mul(8).saturating_sub(first.leading_zeros() as usize),
        None => 0,
    };
    Some(WrittenKey { kind: KeyKind::Rsa(bits), bytes: der.to_vec() })
}
