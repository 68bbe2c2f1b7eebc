//! The normal form of a path: what a route's prefix must already be in.

/// `path` with dot segments and double slashes removed and unreserved characters decoded.
pub(super) fn normalized(path: &str) -> Vec<u8> {
    if matches!(path, "" | "/") {
        return path.as_bytes().to_vec();
    }
    remove_dots(&decoded(path.as_bytes()))
}

/// Decodes everything but the characters that mean something in a URL.
fn decoded(path: &[u8]) -> Vec<u8> {
    const RESERVED: &[u8] = b"!*'();:@&=+$,/?%#[]";
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        let byte = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match byte {
            Some(byte) if RESERVED.contains(&byte) => {
                out.extend(rest.iter().take(3).map(u8::to_ascii_uppercase));
                rest = tail.get(2..).unwrap_or_default();
            }
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

fn remove_dots(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
    let last = segments.len().saturating_sub(1);
    for (position, segment) in segments.iter().enumerate().skip(1) {
        match *segment {
            b"." | b".." => {
                if *segment == b".." {
                    kept.pop();
                }
                if position == last {
                    kept.push(b"");
                }
            }
            b"" if position < last => {}
            segment => kept.push(segment),
        }
    }
    kept.iter().flat_map(|segment| std::iter::once(&b'/').chain(*segment)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn paths_in_normal_form() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/../a", "/a"),
            ("/a//b", "/a/b"),
            ("/%61%2f%3a", "/a%2F%3A"),
            ("/%zz", "/%zz"),
            ("/a/.", "/a/"),
        ] {
            assert_eq!(String::from_utf8(normalized(path)).unwrap(), normal, "{path}");
        }
    }
}
