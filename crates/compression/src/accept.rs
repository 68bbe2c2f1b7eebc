//! Which coding a client prefers: `Accept-Encoding` (RFC 9110 section 12.5.3).

use http::{HeaderMap, header::ACCEPT_ENCODING};

use crate::Coding;

/// Thousandths, from 0 (never) to 1000.
type Weight = u16;

/// The coding to use among those on offer, the most preferred first; `None` for none.
///
/// A client that names no coding gets none, although the RFC would allow any.
pub(crate) fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let mut best: Option<(Coding, Weight)> = None;
    for coding in offered {
        let weight = weight(headers, |name| Coding::of_name(name) == Some(*coding)).or_else(|| weight(headers, is_any));
        match (weight, best) {
            (None | Some(0), _) => {}
            (Some(weight), Some((_, most))) if weight <= most => {}
            (Some(weight), _) => best = Some((*coding, weight)),
        }
    }
    let identity = weight(headers, |name| name.eq_ignore_ascii_case("identity")).unwrap_or(0);
    best.filter(|(_, weight)| *weight >= identity).map(|(coding, _)| coding)
}

fn is_any(name: &str) -> bool {
    name == "*"
}

/// The weight of the first entry whose name is meant.
fn weight(headers: &HeaderMap, is_meant: impl Fn(&str) -> bool) -> Option<Weight> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|entry| {
        let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        is_meant(name.trim()).then(|| quality(parameters))
    })
}

/// The value of `q`; 1000 without one, 0 for one that is none.
fn quality(parameters: &str) -> Weight {
    let mut pairs = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let q = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    q.map_or(1000, |(_, value)| thousandths(value.trim()).unwrap_or(0))
}

/// `0`, `1`, and up to three digits after a point.
fn thousandths(text: &str) -> Option<Weight> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let weight: Weight = format!("{whole}{digits:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Coding::{Brotli, Gzip, Zstd};

    fn chosen(lines: &[&str], offered: &[Coding]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, line.parse().unwrap());
        }
        choose(&headers, offered)
    }

    #[test]
    fn the_client_s_weights_count_and_then_our_order() {
        let all = [Zstd, Brotli, Gzip];
        for (lines, expected) in [
            (&["gzip"][..], Some(Gzip)),
            (&["GZIP"], Some(Gzip)),
            (&["x-gzip"], Some(Gzip)),
            (&["gzip, deflate, br"], Some(Brotli)),
            (&["gzip, deflate, br, zstd"], Some(Zstd)),
            (&["gzip", "br"], Some(Brotli)),
            (&["gzip;q=1.0, br;q=0.9"], Some(Gzip)),
            (&["gzip;q=0.5, br;q=0.501"], Some(Brotli)),
            (&["gzip ; Q=0.8 , br ;q=0.7"], Some(Gzip)),
            (&["*"], Some(Zstd)),
            (&["*;q=0.5, gzip"], Some(Gzip)),
            (&["zstd;q=0, *"], Some(Brotli)),
            (&["identity, gzip"], Some(Gzip)),
            (&["identity;q=0, gzip;q=0.1"], Some(Gzip)),
            (&["identity;q=0.5, *;q=0.4, br"], Some(Brotli)),
            (&[], None),
            (&[""], None),
            (&["deflate"], None),
            (&["identity"], None),
            (&["gzip;q=0"], None),
            (&["gzip;q=0.000, br;q=0"], None),
            (&["*;q=0"], None),
            (&["identity, gzip;q=0.5"], None),
            (&["gzip;q=2"], None),
            (&["gzip;q=1.001"], None),
            (&["gzip;q=0.1234"], None),
            (&["gzip;q=-1"], None),
            (&["gzip;q="], None),
            (&["gzipx, xgzip, brr"], None),
        ] {
            assert_eq!(chosen(lines, &all), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_what_is_on_offer_is_chosen() {
        assert_eq!(chosen(&["gzip, br, zstd"], &[Gzip]), Some(Gzip));
        assert_eq!(chosen(&["gzip, br, zstd"], &[Gzip, Zstd]), Some(Gzip));
        assert_eq!(chosen(&["br"], &[Gzip, Zstd]), None);
        assert_eq!(chosen(&["gzip, br"], &[]), None);
    }
}
