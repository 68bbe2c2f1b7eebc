//! What it does to a request.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Reply, Responding, ServiceOverride, Verdict};

use super::config::{RouteByHeaderConfig, Rule};
use crate::layer::Choose;

/// Sends requests to upstreams by their headers: the policy.
#[derive(Debug, Clone, Default)]
pub struct RouteByHeader {
    rules: Vec<Decision>,
}

#[derive(Debug, Clone)]
struct Decision {
    condition: Vec<(HeaderName, HeaderValue)>,
    to: ServiceOverride,
}

impl Plugin for RouteByHeader {
    const NAME: &'static str = "route-by-header";
    const PRIORITY: i32 = 850;

    type Config = RouteByHeaderConfig;

    fn new(config: RouteByHeaderConfig, _: &Env) -> Result<Self, PluginError> {
        let rules = config.rules.unwrap_or_default().into_iter().enumerate();
        let rules: Result<_, _> = rules.map(|(place, rule)| Decision::new(place, rule)).collect();
        Ok(Self { rules: rules? })
    }

    fn overrides(&self) -> Vec<ServiceOverride> {
        self.rules.iter().map(|rule| rule.to.clone()).collect()
    }
}

impl RouteByHeader {
    /// Adds a rule: requests with all these headers go to the next of the other services.
    #[must_use]
    pub fn when(mut self, condition: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let to = ServiceOverride::Upstream(self.rules.len().to_string());
        self.rules.push(Decision { condition: condition.into_iter().collect(), to });
        self
    }

    fn first(&self, headers: &HeaderMap) -> Option<usize> {
        self.rules.iter().position(|rule| rule.fits(headers))
    }
}

impl Decision {
    fn new(place: usize, rule: Rule) -> Result<Self, PluginError> {
        let field = |name: &str| match name {
            "" => format!("rules[{place}].condition"),
            name => format!("rules[{place}].condition.{name}"),
        };
        let condition = rule.condition.unwrap_or_default().into_iter();
        let condition: Vec<_> = condition
            .map(|(name, value)| {
                let header = name.parse().map_err(|_| PluginError::new(field(&name), "is no name of a header"))?;
                let value = value.parse().map_err(|_| PluginError::new(field(&name), "is no value of a header"))?;
                Ok((header, value))
            })
            .collect::<Result<_, PluginError>>()?;
        if condition.is_empty() {
            return Err(PluginError::new(field(""), "required: it names the headers that requests must have"));
        }
        Ok(Self { condition, to: ServiceOverride::Upstream(rule.upstream_name) })
    }

    fn fits(&self, headers: &HeaderMap) -> bool {
        self.condition.iter().all(|(name, value)| headers.get_all(name).iter().any(|line| line == value))
    }
}

impl Choose for RouteByHeader {
    fn choose(&self, _: &Context, head: &Parts) -> Option<usize> {
        self.first(&head.headers)
    }
}

impl Guard for RouteByHeader {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, head: &mut Parts) -> Verdict {
        let Some(rule) = self.first(&head.headers).and_then(|place| self.rules.get(place)) else {
            return Verdict::Pass;
        };
        // Without a service there is nothing to be sent elsewhere: the proxying service says so.
        if cx.override_service(&rule.to) || cx.service().is_none() {
            return Verdict::Pass;
        }
        let message = "failure to get a peer from the ring-balancer";
        Verdict::Refuse(Reply::error(StatusCode::SERVICE_UNAVAILABLE, message))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::Request;

    use super::*;

    fn rule(condition: &[(&str, &str)], upstream_name: &str) -> Rule {
        let condition: BTreeMap<_, _> =
            condition.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Rule { condition: Some(condition), upstream_name: upstream_name.to_owned() }
    }

    fn policy(rules: Vec<Rule>) -> Result<RouteByHeader, PluginError> {
        RouteByHeader::new(RouteByHeaderConfig { rules: Some(rules) }, &Env::default())
    }

    #[test]
    fn the_first_rule_of_which_all_headers_are_there_decides() {
        let policy = policy(vec![
            rule(&[("location", "us-east"), ("x-version", "2")], "east-2"),
            rule(&[("Location", "us-east")], "east"),
            rule(&[("location", "us-west")], "west"),
            rule(&[("x-version", "2")], "two"),
        ])
        .unwrap();
        for (headers, expected) in [
            (&[] as &[(&str, &str)], None),
            (&[("location", "us-east")], Some(1)),
            (&[("location", "US-East")], None),
            (&[("location", "us-east"), ("x-version", "2")], Some(0)),
            (&[("location", "us-west"), ("x-version", "2")], Some(2)),
            (&[("location", "eu"), ("location", "us-west")], Some(2)),
            (&[("x-version", "2")], Some(3)),
        ] {
            let request =
                headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(policy.first(&head.headers), expected, "{headers:?}");
        }
        assert_eq!(policy.overrides().len(), 4);
    }

    #[test]
    fn what_would_take_every_request_or_none_is_refused() {
        let none = Rule { condition: None, upstream_name: "a".into() };
        for (rules, expected) in [
            (vec![none], "rules[0].condition: required: it names the headers that requests must have"),
            (
                vec![rule(&[("a", "b")], "a"), rule(&[("a b", "")], "a")],
                "rules[1].condition.a b: is no name of a header",
            ),
            (vec![rule(&[("a", "b\nc")], "a")], "rules[0].condition.a: is no value of a header"),
        ] {
            assert_eq!(policy(rules).unwrap_err().to_string(), expected);
        }
    }
}
