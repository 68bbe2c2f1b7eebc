//! Lists of ciphers as OpenSSL and nginx write them, in terms of the suites that are built in.

use rustls::{SupportedCipherSuite, crypto::aws_lc_rs::cipher_suite as built_in};

/// A suite and the words of OpenSSL's language that mean it.
struct Suite {
    suite: SupportedCipherSuite,
    strength: u16,
    words: &'static [&'static str],
}

/// Words that mean every suite of TLS 1.2 that is built in: all have ephemeral keys and authenticate.
const EVERY: &[&str] =
    &["ALL", "DEFAULT", "HIGH", "ECDHE", "kECDHE", "EECDH", "kEECDH", "AEAD", "TLSv1.2", "COMPLEMENTOFALL"];

const TLS12: &[Suite] = &[
    Suite {
        suite: built_in::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        strength: 128,
        words: &[
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "ECDSA",
            "aECDSA",
            "AES",
            "AES128",
            "AESGCM",
            "FIPS",
        ],
    },
    Suite {
        suite: built_in::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        strength: 128,
        words: &[
            "ECDHE-RSA-AES128-GCM-SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "RSA",
            "aRSA",
            "AES",
            "AES128",
            "AESGCM",
            "FIPS",
        ],
    },
    Suite {
        suite: built_in::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        strength: 256,
        words: &[
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "ECDSA",
            "aECDSA",
            "AES",
            "AES256",
            "AESGCM",
            "FIPS",
        ],
    },
    Suite {
        suite: built_in::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        strength: 256,
        words: &[
            "ECDHE-RSA-AES256-GCM-SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "RSA",
            "aRSA",
            "AES",
            "AES256",
            "AESGCM",
            "FIPS",
        ],
    },
    Suite {
        suite: built_in::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        strength: 256,
        words: &[
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "ECDSA",
            "aECDSA",
            "CHACHA20",
        ],
    },
    Suite {
        suite: built_in::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        strength: 256,
        words: &[
            "ECDHE-RSA-CHACHA20-POLY1305",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "RSA",
            "aRSA",
            "CHACHA20",
        ],
    },
];

const TLS13: &[(&str, SupportedCipherSuite)] = &[
    ("TLS_AES_256_GCM_SHA384", built_in::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", built_in::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", built_in::TLS13_AES_128_GCM_SHA256),
];

/// The version and the suite that a handshake agreed on, in OpenSSL's words; `None` before its end.
pub fn agreed(connection: &rustls::CommonState) -> Option<(&'static str, &'static str)> {
    let version = match connection.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => return None,
    };
    let suite = connection.negotiated_cipher_suite()?;
    let of_13 = TLS13.iter().find(|(_, known)| *known == suite).map(|(name, _)| *name);
    let of_12 = || TLS12.iter().find(|known| known.suite == suite).and_then(|known| known.words.first().copied());
    Some((version, of_13.or_else(of_12)?))
}

/// What a list came to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Chosen {
    /// Suites in order of preference: those of TLS 1.3, then those of TLS 1.2.
    pub(crate) suites: Vec<SupportedCipherSuite>,
    /// What the list asks for and is not built in.
    pub(crate) missing: Vec<String>,
}

/// The ciphers of Kong's `intermediate` that are built in, which is also all there are.
pub(crate) const ALL: &str = "ALL";

/// The suites that a list in OpenSSL's language leaves. As there, a list says nothing about the
/// suites of TLS 1.3, unless it names some of them: then it is these.
pub(crate) fn choose(list: &str) -> Chosen {
    let mut list_12 = List::default();
    let mut named_13 = Vec::new();
    let mut missing = Vec::new();
    for word in list.split([':', ',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
        if let Some((_, suite)) = TLS13.iter().find(|(name, _)| *name == word) {
            named_13.push(*suite);
        } else if !list_12.apply(word) {
            missing.push(word.to_owned());
        }
    }
    if named_13.is_empty() {
        named_13.extend(TLS13.iter().map(|(_, suite)| *suite));
    }
    let suites_12 = list_12.active.into_iter().filter_map(|place| Some(TLS12.get(place)?.suite));
    Chosen { suites: named_13.into_iter().chain(suites_12).collect(), missing }
}

/// The suites of TLS 1.2 by their place in the table.
#[derive(Default)]
struct List {
    active: Vec<usize>,
    killed: Vec<usize>,
}

impl List {
    /// Does what one word of a list says; answers whether it is about a suite that is built in.
    fn apply(&mut self, word: &str) -> bool {
        if let Some(command) = word.strip_prefix('@') {
            if command == "STRENGTH" {
                let strength = |place: &usize| TLS12.get(*place).map_or(0, |suite| suite.strength);
                self.active.sort_by_key(|place| std::cmp::Reverse(strength(place)));
            }
            return true;
        }
        if let Some(word) = word.strip_prefix('!') {
            let meant = meant(word);
            self.active.retain(|place| !meant.contains(place));
            self.killed.extend(meant);
            return true;
        }
        if let Some(word) = word.strip_prefix('-') {
            let meant = meant(word);
            self.active.retain(|place| !meant.contains(place));
            return true;
        }
        if let Some(word) = word.strip_prefix('+') {
            let meant = meant(word);
            let (last, first): (Vec<_>, Vec<_>) = self.active.drain(..).partition(|place| meant.contains(place));
            self.active = first.into_iter().chain(last).collect();
            return true;
        }
        let meant = meant(word);
        for place in &meant {
            if !self.active.contains(place) && !self.killed.contains(place) {
                self.active.push(*place);
            }
        }
        !meant.is_empty()
    }
}

/// The suites that fit every part of `AES256+aRSA`.
fn meant(words: &str) -> Vec<usize> {
    let fits = |suite: &Suite| words.split('+').all(|word| EVERY.contains(&word) || suite.words.contains(&word));
    TLS12.iter().enumerate().filter(|(_, suite)| fits(suite)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use rustls::CipherSuite;

    use super::*;

    /// The short names of what a list leaves of TLS 1.2, and what is missing.
    fn chosen(list: &str) -> (Vec<&'static str>, Vec<String>) {
        let chosen = choose(list);
        let name = |suite: &SupportedCipherSuite| {
            let known = TLS12.iter().find(|known| known.suite == *suite)?;
            Some(known.words[0])
        };
        (chosen.suites.iter().filter_map(name).collect(), chosen.missing)
    }

    const ECDSA_128: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";
    const RSA_128: &str = "ECDHE-RSA-AES128-GCM-SHA256";
    const ECDSA_256: &str = "ECDHE-ECDSA-AES256-GCM-SHA384";
    const RSA_256: &str = "ECDHE-RSA-AES256-GCM-SHA384";
    const ECDSA_CHACHA: &str = "ECDHE-ECDSA-CHACHA20-POLY1305";
    const RSA_CHACHA: &str = "ECDHE-RSA-CHACHA20-POLY1305";

    #[test]
    fn lists_of_openssl_are_understood() {
        let all = vec![ECDSA_128, RSA_128, ECDSA_256, RSA_256, ECDSA_CHACHA, RSA_CHACHA];
        for (list, expected, missing) in [
            ("ALL", all.clone(), vec![]),
            ("HIGH:!aNULL:!MD5", all.clone(), vec![]),
            (
                "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:AES128-SHA",
                vec![RSA_256, RSA_128],
                vec!["DHE-RSA-AES256-GCM-SHA384", "AES128-SHA"],
            ),
            ("AES256+aRSA:CHACHA20", vec![RSA_256, ECDSA_CHACHA, RSA_CHACHA], vec![]),
            ("EECDH+AESGCM:EDH+AESGCM", vec![ECDSA_128, RSA_128, ECDSA_256, RSA_256], vec!["EDH+AESGCM"]),
            ("ALL:!aRSA:@STRENGTH", vec![ECDSA_256, ECDSA_CHACHA, ECDSA_128], vec![]),
            ("ALL:+AES:!aECDSA", vec![RSA_CHACHA, RSA_128, RSA_256], vec![]),
            ("ALL:-AES:AES128:!ECDSA", vec![RSA_CHACHA, RSA_128], vec![]),
            ("!aRSA, ALL", vec![ECDSA_128, ECDSA_256, ECDSA_CHACHA], vec![]),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", vec![RSA_128], vec![]),
            // Kong's `fips`.
            ("TLSv1.2+FIPS:kRSA+FIPS:!eNULL:!aNULL", vec![ECDSA_128, RSA_128, ECDSA_256, RSA_256], vec!["kRSA+FIPS"]),
            ("RC4-MD5", vec![], vec!["RC4-MD5"]),
        ] {
            assert_eq!(chosen(list), (expected, missing.into_iter().map(str::to_owned).collect()), "{list}");
        }
    }

    #[test]
    fn suites_of_tls_1_3_stay_unless_some_are_named() {
        let of_13 = |list| -> Vec<_> { choose(list).suites.iter().map(SupportedCipherSuite::suite).collect() };
        let all = [
            CipherSuite::TLS13_AES_256_GCM_SHA384,
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS13_AES_128_GCM_SHA256,
        ];
        assert_eq!(of_13("RC4-MD5"), all);
        assert_eq!(of_13("TLS_AES_128_GCM_SHA256"), [CipherSuite::TLS13_AES_128_GCM_SHA256]);
    }
}
