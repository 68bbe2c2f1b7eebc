//! What it does to a request.

use http::{StatusCode, header, request};
use regex::bytes::RegexSet;
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Reply, Responding, Verdict};

use crate::{
    config::BotDetectionConfig,
    patterns::{automaton, is_listed},
};

/// Lets requests pass or not by their `User-Agent`: the policy.
#[derive(Debug, Clone)]
pub struct BotDetection {
    pub(crate) allow: RegexSet,
    pub(crate) deny: RegexSet,
}

impl Default for BotDetection {
    /// Kong's list of bots alone.
    fn default() -> Self {
        Self { allow: RegexSet::empty(), deny: RegexSet::empty() }
    }
}

/// What a `User-Agent` is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing is known against it.
    Unknown,
    /// It is allowed by name.
    Allowed,
    /// It is denied, or on the list of bots.
    Bot,
}

impl BotDetection {
    /// What this `User-Agent` is taken for.
    pub fn examine(&self, user_agent: &[u8]) -> Finding {
        let found_in = |list: &RegexSet| !list.is_empty() && list.is_match(user_agent);
        if found_in(&self.allow) {
            Finding::Allowed
        } else if found_in(&self.deny) || is_listed(user_agent) {
            Finding::Bot
        } else {
            Finding::Unknown
        }
    }
}

impl Plugin for BotDetection {
    const NAME: &'static str = "bot-detection";
    const PRIORITY: i32 = 2500;
    const CONSUMER_SCOPE: bool = false;

    type Config = BotDetectionConfig;

    fn new(config: BotDetectionConfig, _: &Env) -> Result<Self, PluginError> {
        Ok(Self {
            allow: automaton("allow", &config.allow.unwrap_or_default())?,
            deny: automaton("deny", &config.deny.unwrap_or_default())?,
        })
    }
}

impl Guard for BotDetection {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, _: &Context, head: &mut request::Parts) -> Verdict {
        let mut lines = head.headers.get_all(header::USER_AGENT).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Verdict::Pass,
            (Some(agent), None) => match self.examine(agent.as_bytes().trim_ascii()) {
                Finding::Unknown | Finding::Allowed => Verdict::Pass,
                Finding::Bot => Verdict::Refuse(Reply::error(StatusCode::FORBIDDEN, "Forbidden")),
            },
            (Some(_), Some(_)) => {
                Verdict::Refuse(Reply::error(StatusCode::BAD_REQUEST, "Only one User-Agent header allowed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> Result<BotDetection, PluginError> {
        let list = |patterns: &[&str]| Some(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        BotDetection::new(BotDetectionConfig { allow: list(allow), deny: list(deny) }, &Env::default())
    }

    fn examine(allow: &[&str], deny: &[&str], agent: &str) -> Finding {
        policy(allow, deny).unwrap().examine(agent.as_bytes())
    }

    #[test]
    fn people_and_unknown_programs_pass() {
        for agent in [
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
            "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36",
            "HelloWorld",
            "curl/7.43.0",
            "a robot",
            "grpc-go/1.62.0",
            "bot",
            "somebot",
            "\u{fc}",
            "",
        ] {
            assert_eq!(examine(&[], &[], agent), Finding::Unknown, "{agent}");
        }
    }

    /// Two or three of each of the patterns of Kong's list.
    #[test]
    fn bots_of_kongs_list_are_found() {
        for agent in [
            "Googlebot/2.1 (+http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "facebookexternalhit/1.1",
            "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
            "Mozilla/5.0 (Windows) Gecko (Google (+https://developers.google.com/+/web/snippet/)",
            "Twitterbot/1.0",
            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; MSIECrawler)",
            "Mozilla/4.0 (compatible; MSIE 5.0b1; x) MSIECrawler",
            "x/Ant-Nutch-1",
            "x/SomeBot 1",
            "x/Some_Spider-2",
            "x/Tailsweep 3",
            "008/0.85",
            "Y!J-BRW/1.0",
            "wminer/2",
            "Apache-HttpClient/4.5.5 (Java/1.8.0_161)",
            "Python-urllib/3.11",
            "JNLP",
            "1470.net crawler",
            "Accoona-AI-Agent/1.1.1",
            "archive.org_bot",
            "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
            "my-favicon-fetcher",
            "Mozilla/5.0 (compatible; Yeti/1.1)",
            "bingbot/2.0",
            "Comodo HTTP(S) Crawler",
            "NING/1.0",
            "Microsoft MSIE Bot",
            "IP2locationBot",
            "voyager/1.0",
            "WeSEE:Search",
            "Xenu's Link Sleuth 1.1c",
            "YandexImages/3.0",
            "Yahoo! Slurp",
            "ZyBorg/1.0",
            "my archiver/2",
            "An Indexer 3",
            "crawling/1",
            "MYSPIDER",
            "Scrapey",
            "okhttp/4.12.0",
            "axios/1.6.8",
            "Go-http-client/1.1",
            "reqwest/0.12",
            "aws-sdk-dotnet-45/3.1",
            "Boto3/1.34",
            "Mozilla/5.0 Chrome PTST/240201.1",
            "masscan/1.3",
            "WhatsApp/2.0",
            "Slack-ImgProxy (+https://api.slack.com/robots)",
            "SomeBot/1",
            "CrAwL",
        ] {
            assert_eq!(examine(&[], &[], agent), Finding::Bot, "{agent}");
        }
    }

    #[test]
    fn where_a_name_must_stand_counts() {
        for agent in ["a NING", "avoyager", "008/x", "xYeti", "MSIE 6.0 MSIECraw"] {
            assert_eq!(examine(&[], &[], agent), Finding::Unknown, "{agent}");
        }
    }

    #[test]
    fn allow_goes_before_deny_before_kongs_list() {
        let facebook = "facebookexternalhit/1.1";
        assert_eq!(examine(&[facebook], &[], facebook), Finding::Allowed);
        assert_eq!(examine(&[facebook], &[facebook], facebook), Finding::Allowed);
        assert_eq!(examine(&["other"], &[], facebook), Finding::Bot);
        assert_eq!(examine(&[], &["HelloWorld"], "HelloWorld"), Finding::Bot);
        assert_eq!(examine(&[], &["helloworld"], "HelloWorld"), Finding::Unknown, "letter case counts");
        assert_eq!(examine(&[], &["(?i)helloworld"], "a HelloWorld b"), Finding::Bot, "anywhere in it");
    }

    #[test]
    fn what_is_no_pattern_is_told_with_its_place() {
        let wrong = policy(&[], &["a", "["]).unwrap_err();
        assert_eq!(wrong.field(), "deny[1]");
        let around = policy(&["(?=a)b"], &[]).unwrap_err();
        assert_eq!(around.field(), "allow[0]");
        assert!(around.message().contains("look-around"), "{around}");
    }
}
