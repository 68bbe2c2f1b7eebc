//! What the upstream says a response costs.

use http::{HeaderMap, HeaderName};

/// The costs that the lines of this header say, by their names: `video=2, image=1`. Of a name that is
/// there twice the last counts; what is no number costs nothing.
pub(super) fn said(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, i64)> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    let parts = lines.flat_map(|line| line.split(','));
    parts
        .filter_map(|part| part.split_once('='))
        .filter_map(|(name, cost)| Some((name.trim().to_owned(), whole(cost.trim())?)))
        .collect()
}

/// The cost of one name.
pub(super) fn of(costs: &[(String, i64)], name: &str) -> i64 {
    costs.iter().rev().find(|(said, _)| said == name).map_or(0, |(_, cost)| *cost)
}

/// A cost in whole units; a part of one costs it whole.
fn whole(text: &str) -> Option<i64> {
    let number = || text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number.ceil() as i64);
    text.parse().ok().or_else(number)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn lines_and_parts_say_costs_by_name() {
        let name = HeaderName::from_static("x-kong-limit");
        let cases: [(&[&str], &str, i64); 9] = [
            (&["video=2, image=1"], "video", 2),
            (&["video=2, image=1"], "image", 1),
            (&["video=2", "image=3"], "image", 3),
            (&[" video = 2 "], "video", 2),
            (&["video=1,video=4"], "video", 4),
            (&["video=-3"], "video", -3),
            (&["video=1.5"], "video", 2),
            (&["video=much", "video", "=", "video=inf"], "video", 0),
            (&[], "video", 0),
        ];
        for (lines, cost, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(&name, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(of(&said(&headers, &name), cost), expected, "{lines:?}");
        }
    }
}
