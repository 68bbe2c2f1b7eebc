//! Bytes of a client that may mean anything, and what became of them.

use crate::{Answer, Connection, Exact, Gateway, Reading, Request, Upstream, proxying};

/// A gateway with one worker in front of an upstream that describes each request in its answer.
///
/// [`Trial::send`] holds every exchange against what is promised whatever a client sends: the upstream gets well-formed
/// requests or none, each of them is answered once and in order, at most one refusal comes and it comes last, and the next
/// client gets its own answer.
#[derive(Debug)]
pub struct Trial {
    upstream: Upstream,
    gateway: Gateway,
}

/// What became of a client's bytes.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The requests the upstream got whole.
    pub requests: Vec<Exact>,
    /// The status of the gateway's own answer, if there was one.
    pub refusal: Option<u16>,
}

impl Outcome {
    /// The targets of the requests the upstream got.
    pub fn targets(&self) -> Vec<&str> {
        self.requests.iter().map(|request| request.target.as_str()).collect()
    }
}

/// How a client ends what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It waits for this many answers, or for the gateway to close.
    AfterAnswers(usize),
    /// It says at once that nothing more will come.
    AtOnce,
}

impl Trial {
    /// With these lines added to the route.
    #[track_caller]
    pub fn with(route_fields: &str) -> Self {
        Self::patient(route_fields, "1")
    }

    /// With these lines added to the route, waiting so long for a client that does not go on.
    #[track_caller]
    pub fn patient(route_fields: &str, time: &str) -> Self {
        let upstream = Upstream::echo();
        let document = format!("{}{route_fields}", proxying(&upstream));
        let setup = Gateway::with(&document).setting("nginx_worker_processes", "1");
        // Who takes the tail for a part of something unfinished waits for the rest, which is safe but need not take a minute.
        let timeouts = ["client_header_timeout", "client_body_timeout", "keepalive_timeout"];
        let setup = timeouts.iter().fold(setup, |setup, name| setup.setting(&format!("nginx_http_{name}"), time));
        let gateway = setup.start();
        Self { upstream, gateway }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Sends bytes on a connection of their own.
    ///
    /// # Errors
    /// Which promise was broken.
    pub fn send(&self, bytes: &[u8], ending: Ending) -> Result<Outcome, String> {
        let before = self.counts()?;
        let answers = exchange(self.gateway.connect(), bytes, ending);
        self.check_next_client()?;
        let requests = self.since(&before)?;
        let (given, refusals): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        check_answers(&answers, &given, &requests, ending)?;
        match refusals.as_slice() {
            [] => Ok(Outcome { requests, refusal: None }),
            [one] if (400..600).contains(&one.status) => Ok(Outcome { requests, refusal: Some(one.status) }),
            several => Err(format!("more than a refusal: {several:?}")),
        }
    }

    /// A request of somebody else must get its own answer, whichever pooled connection it goes over.
    fn check_next_client(&self) -> Result<(), String> {
        let answer = self.gateway.connect().try_request(&Request::get(ALIVE));
        match &answer {
            Ok(answer) if answer.status == 200 && answer.json()["path"] == ALIVE => Ok(()),
            _ => Err(format!("the next client got {answer:?}")),
        }
    }

    /// How many whole requests came on each connection.
    fn counts(&self) -> Result<Vec<usize>, String> {
        Ok(self.readings()?.iter().map(|reading| reading.whole.len()).collect())
    }

    fn readings(&self) -> Result<Vec<Reading>, String> {
        let read = |wire: Vec<u8>| match Reading::strict(&wire) {
            Reading { wrong: Some(why), .. } => Err(format!("the upstream got what is no request: {why}")),
            reading => Ok(reading),
        };
        self.upstream.wires().into_iter().map(read).collect()
    }

    /// The whole requests that came after those counted, without our own sign of life.
    fn since(&self, before: &[usize]) -> Result<Vec<Exact>, String> {
        let readings = self.readings()?.into_iter().enumerate();
        let new = readings.flat_map(|(n, reading)| reading.whole.into_iter().skip(before.get(n).copied().unwrap_or(0)));
        Ok(new.filter(|request| request.target != ALIVE).collect())
    }
}

const ALIVE: &str = "/alive";

/// All final answers on one connection.
fn exchange(mut connection: Connection, bytes: &[u8], ending: Ending) -> Vec<Answer> {
    // A gateway may answer and close before it has read everything.
    let _ = connection.try_send(bytes);
    let mut method = std::str::from_utf8(&bytes[..bytes.len().min(4)]).unwrap_or_default();
    let most = match ending {
        Ending::AtOnce => 0,
        Ending::AfterAnswers(most) => most,
    };
    let (mut answers, mut given) = (Vec::<Answer>::new(), 0);
    loop {
        if given == most {
            connection.finish_sending();
        }
        match connection.try_answer_to(method) {
            Ok(answer) => {
                given += usize::from(answer.status == 200);
                answers.push(answer);
            }
            Err(broken) if broken.why.contains("no byte for") => {
                panic!("the gateway neither answers nor closes after {:?}", String::from_utf8_lossy(bytes))
            }
            Err(_) => return answers,
        }
        method = "";
    }
}

/// Each request the upstream got is answered once, in order, and nothing else is.
fn check_answers(answers: &[Answer], given: &[&Answer], requests: &[Exact], ending: Ending) -> Result<(), String> {
    let mut targets = requests.iter().map(|request| (request.method.as_str(), request.target.as_str()));
    for answer in given {
        let (method, target) = targets.next().ok_or_else(|| format!("more answers than requests: {answers:?}"))?;
        if method != "HEAD" && answer.json()["path"] != target {
            return Err(format!("{target} got the answer {}", answer.text()));
        }
    }
    // Who says that nothing more will come may be gone before the answer is there.
    if targets.next().is_some() && ending != Ending::AtOnce {
        return Err(format!("{} requests at the upstream, but {} answers", requests.len(), given.len()));
    }
    Ok(())
}
