//! Who may use the Admin API: our settings `admin_*`, which Kong has not.

use super::Log;
use super::problem::Problem;
use super::resolve::Resolver;
use super::tls::named_pairs;

/// Who may use the Admin API, and what is noted of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminAccess {
    /// Whether the gateway refuses to start with an Admin API that anybody may use
    /// (`admin_require_auth`). Default no.
    pub required: bool,
    /// Who shows which token (`admin_tokens`). Default nobody.
    pub tokens: Vec<AdminToken>,
    /// Files with more of them, one a line (`admin_tokens_file`).
    pub token_files: Vec<String>,
    /// Authorities whose clients may use it (`admin_client_ca`): paths, PEM, or PEM in base64.
    pub client_authorities: Vec<String>,
    /// What clients with a certificate may do, by a name in it (`admin_clients`). None: everything.
    pub clients: Vec<AdminClient>,
    /// Names beside those of this machine by which the Admin API may be called on a loopback address
    /// (`admin_allowed_hosts`), in lower case.
    pub allowed_hosts: Vec<String>,
    /// Where browsers may call it from (`admin_gui_url`), as origins.
    pub origins: Vec<String>,
    /// Where changes are noted (`admin_audit_log`). Default `logs/admin_audit.log`.
    pub audit_log: Log,
}

impl AdminAccess {
    /// Whether anybody is asked who they are.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        !(self.tokens.is_empty() && self.token_files.is_empty() && self.client_authorities.is_empty())
    }
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminRole {
    /// Read everything, secrets included, and change nothing.
    ReadOnly,
    /// Everything.
    Admin,
}

impl AdminRole {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Admin => "admin",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::ReadOnly, Self::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who shows a token. The token itself is known to them alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// What they may do.
    pub role: AdminRole,
    /// Who they are, for the audit log.
    pub name: String,
    /// The SHA-256 of the token.
    pub sha256: [u8; 32],
}

impl AdminToken {
    /// Reads `<role>:<name>:sha256:<64 hexadecimal digits>`.
    ///
    /// # Errors
    /// What is wrong; nothing of the text is repeated that may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str =
            "the form is <admin or read-only>:<name>:sha256:<64 hexadecimal digits>, as `towergate token` prints it";
        let mut parts = text.splitn(4, ':').map(str::trim);
        let (Some(role), Some(name), Some(kind), Some(digits)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FORM.to_owned());
        };
        let role = AdminRole::named(role).ok_or_else(|| format!("there is no such role; {FORM}"))?;
        if name.is_empty() {
            return Err(format!("a name is missing; {FORM}"));
        }
        let sha256 = Some(digits).filter(|_| kind == "sha256").and_then(sha256);
        let sha256 = sha256.ok_or_else(|| format!("the token of '{name}' is not written as its SHA-256; {FORM}"))?;
        Ok(Self { role, name: name.to_owned(), sha256 })
    }

    /// Reads a file of them: one a line, with empty lines and lines that begin with `#` between.
    ///
    /// # Errors
    /// The number of each line that is wrong, and what is wrong with it.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, Vec<(usize, String)>> {
        let (mut tokens, mut wrong) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            match line.trim() {
                "" => {}
                comment if comment.starts_with('#') => {}
                line => match Self::parse(line) {
                    Ok(token) => tokens.push(token),
                    Err(why) => wrong.push((number + 1, why)),
                },
            }
        }
        if wrong.is_empty() { Ok(tokens) } else { Err(wrong) }
    }
}

fn sha256(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// What clients with a certificate may do that has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminClient {
    /// What they may do.
    pub role: AdminRole,
    /// An alternative name or the common name of their certificates.
    pub name: String,
}

impl AdminClient {
    fn parse(text: &str) -> Result<Self, String> {
        let (role, name) = text.split_once(':').unwrap_or(("", text));
        match (AdminRole::named(role.trim()), name.trim()) {
            (Some(role), name) if !name.is_empty() => Ok(Self { role, name: name.to_owned() }),
            _ => Err(format!("'{text}' is not of the form <admin or read-only>:<name in the certificate>")),
        }
    }
}

/// Certificates and keys of the listeners with TLS; none: one signed by itself is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerTls {
    /// Certificates and their keys, each a path, PEM, or PEM in base64.
    pub certificates: Vec<(String, String)>,
}

/// What the settings say about who may use the Admin API.
pub(super) fn access(from: &mut Resolver<'_>, audit_log: Log) -> AdminAccess {
    let tokens = parsed(from, "admin_tokens", AdminToken::parse);
    let clients = parsed(from, "admin_clients", AdminClient::parse);
    let origins = from.list("admin_gui_url").iter().map(|url| origin(url)).collect();
    let access = AdminAccess {
        required: from.switch("admin_require_auth"),
        tokens,
        token_files: from.list("admin_tokens_file"),
        client_authorities: from.list("admin_client_ca"),
        clients,
        allowed_hosts: from.list("admin_allowed_hosts").iter().map(|host| host.to_ascii_lowercase()).collect(),
        origins,
        audit_log,
    };
    if !access.clients.is_empty() && access.client_authorities.is_empty() {
        from.report(
            "admin_clients",
            "admin_clients: admin_client_ca must say who issues their certificates".to_owned(),
        );
    }
    access
}

/// The certificates of `<api>_ssl_cert` and `<api>_ssl_cert_key`.
pub(super) fn tls(from: &mut Resolver<'_>, certificate: &str, key: &str) -> ListenerTls {
    let certificates = named_pairs(certificate, key, from.list(certificate), from.list(key));
    let certificates = certificates.unwrap_or_else(|(name, why)| {
        from.report(&name, why);
        Vec::new()
    });
    ListenerTls { certificates }
}

fn parsed<T>(from: &mut Resolver<'_>, name: &str, parse: fn(&str) -> Result<T, String>) -> Vec<T> {
    let mut all = Vec::new();
    for entry in from.list(name) {
        match parse(&entry) {
            Ok(one) => all.push(one),
            Err(why) => from.report(name, format!("{name}: {why}")),
        }
    }
    all
}

/// Scheme, host and port of a URL, as browsers say them.
fn origin(url: &str) -> String {
    let authority_at = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(authority_at..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| authority_at + at);
    url.get(..end).unwrap_or(url).to_ascii_lowercase()
}

/// A gateway that was told not to run with an Admin API open to anybody does not.
pub(super) fn check(access: &AdminAccess, listens: bool, from: &Resolver<'_>) -> Option<Problem> {
    let is_open = access.required && listens && !access.authenticates();
    is_open.then(|| {
        let why = "admin_require_auth: nobody could be told from anybody: set admin_tokens, admin_tokens_file or \
                   admin_client_ca, or switch the Admin API off (admin_listen = off)";
        Problem::new(from.origin("admin_require_auth"), why.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_written_as_its_hash() {
        let digits = "9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let token = AdminToken::parse(&format!("read-only:prometheus:sha256:{digits}")).unwrap();
        assert_eq!((token.role, token.name.as_str(), token.sha256[0]), (AdminRole::ReadOnly, "prometheus", 0x9f));
        for (text, told) in [
            ("secret", "the form is"),
            ("root:a:sha256:00", "no such role"),
            ("admin::sha256:00", "a name is missing"),
            ("admin:a:sha256:00", "the token of 'a' is not written as its SHA-256"),
            ("admin:a:plain:secret", "the token of 'a' is not written as its SHA-256"),
        ] {
            let why = AdminToken::parse(text).unwrap_err();
            assert!(why.contains(told), "{text}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn a_file_of_tokens_has_comments_and_tells_all_that_is_wrong() {
        let good = format!("admin:a:sha256:{}", "0".repeat(64));
        assert_eq!(AdminToken::parse_file(&format!("# us\n\n{good}\n")).unwrap().len(), 1);
        let wrong = AdminToken::parse_file(&format!("x\n{good}\ny\n")).unwrap_err();
        assert_eq!(wrong.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn an_origin_is_a_url_without_its_path() {
        for (url, expected) in [
            ("http://localhost:8002/", "http://localhost:8002"),
            ("https://Manager.example.com/manager", "https://manager.example.com"),
            ("http://h", "http://h"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
