//! Ways to compress.

use tower_http::CompressionLevel;

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`: understood by all, cheap.
    Gzip,
    /// `br`: smaller for text.
    Brotli,
    /// `zstd`: fast, and as small as brotli; not understood by older clients.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Brotli, Self::Zstd];

    /// The name in `Accept-Encoding` and `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of this name, in any case. `x-gzip` is `gzip`.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        Self::ALL.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }
}

/// How much work to put into smaller bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// As little as possible.
    Fastest,
    /// What suits responses made while somebody waits: gzip 6, brotli 4, zstd 3.
    #[default]
    Balanced,
    /// As much as possible: for small traffic only.
    Best,
    /// The coding's own scale: gzip 1 to 9, brotli 0 to 11, zstd 1 to 22. More is taken for the most.
    Exact(u8),
}

impl From<Level> for CompressionLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Fastest => Self::Fastest,
            Level::Balanced => Self::Default,
            Level::Best => Self::Best,
            Level::Exact(level) => Self::Precise(level.into()),
        }
    }
}
