//! What a scene has shown, and whether that is what it promises.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    scene::{Fault, Scene},
    traffic::{Copy, Lag, Outcome, Sent},
};

/// What a scene has to show.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Promise {
    /// Each request is accepted, and its second copy refused.
    EachOnce,
    /// Each request is accepted once or answered with 503, and the cluster recovers by itself.
    NeverTwice,
    /// As `NeverTwice`, but what was signed before the end of the fault may be refused.
    NeverTwiceDistrusting,
    /// As `NeverTwice`, but what was under way to a killed host gets no answer.
    NeverTwiceLosing,
    /// Something is configured wrongly, and requests are accepted twice. A harness that does not
    /// see them is blind.
    Doubles,
}

/// A row of the table.
pub(crate) struct Row {
    cells: String,
    problems: Vec<String>,
}

pub(crate) const HEAD: &str = "\
| scene | requests | accepted | replays refused | 503 | no answer | twice | accepted again after |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

impl Scene {
    pub(crate) fn row(&self, title: &str, promise: Promise, limit: Duration) -> Row {
        let copies = || self.sent.iter().flat_map(|sent| &sent.copies);
        let count = |is: fn(&Outcome) -> bool| copies().filter(|copy| is(&copy.outcome)).count();
        let recovery = self.fault.map(|fault| self.recovery(fault));
        let recovery = match recovery {
            None => "–".to_owned(),
            Some(None) => "never".to_owned(),
            Some(Some(time)) => format!("{} ms", time.as_millis()),
        };
        let cells = format!(
            "| {title} | {} | {} | {} | {} | {} | {} | {recovery} |",
            self.sent.len(),
            self.taken.len(),
            count(|outcome| matches!(outcome, Outcome::Refused(_))),
            count(|outcome| matches!(outcome, Outcome::TryLater(_))),
            count(|outcome| *outcome == Outcome::Lost),
            self.twice(),
        );
        Row {
            cells,
            problems: self.problems(promise, limit),
        }
    }

    fn twice(&self) -> usize {
        self.taken.values().filter(|times| **times > 1).count()
    }

    /// How long it took from the end of the fault to the first accepted request.
    fn recovery(&self, fault: Fault) -> Option<Duration> {
        let copies = self.sent.iter().flat_map(|sent| &sent.copies);
        let accepted = copies.filter(|copy| {
            copy.outcome == Outcome::Accepted
                && copy.answered > fault.ended
                && fault.host.is_none_or(|host| copy.host == Some(host))
        });
        accepted.map(|copy| copy.answered - fault.ended).min()
    }
}

impl Scene {
    /// Each problem with an example and its count.
    fn problems(&self, promise: Promise, limit: Duration) -> Vec<String> {
        if promise == Promise::Doubles {
            let is_blind = self.twice() == 0;
            let problem = is_blind.then(|| "no double is found".to_owned());
            return problem.into_iter().collect();
        }
        let mut found = BTreeMap::<&str, Vec<&Sent>>::new();
        for sent in &self.sent {
            if let Some(problem) = self.problem_of(promise, limit, sent) {
                found.entry(problem).or_default().push(sent);
            }
        }
        let found = found.iter().map(|(problem, examples)| {
            format!(
                "{problem}: {} requests, such as {}",
                examples.len(),
                examples[0]
            )
        });
        let mut problems: Vec<_> = found.collect();
        if let Some(fault) = self.fault {
            problems.extend(self.problems_with(fault, limit));
        }
        problems
    }

    fn problem_of(&self, promise: Promise, limit: Duration, sent: &Sent) -> Option<&'static str> {
        let [first, second] = &sent.copies;
        let taken = self.taken.get(&sent.order).copied().unwrap_or_default();
        let count = |is: fn(&Copy) -> bool| sent.copies.iter().filter(|copy| is(copy)).count();
        let accepted = count(|copy| copy.outcome == Outcome::Accepted);
        let replayed = count(|copy| copy.outcome == Outcome::Refused("replayed".to_owned()));
        let lost = count(|copy| copy.outcome == Outcome::Lost);
        let later = count(|copy| matches!(copy.outcome, Outcome::TryLater(_)));
        let in_order = sent.lag == Lag::None || first.outcome == Outcome::Accepted;
        let is_once = accepted == 1 && replayed == 1 && in_order;
        let distrusts = promise == Promise::NeverTwiceDistrusting;
        if taken > 1 {
            Some("taken twice")
        } else if accepted > taken {
            Some("accepted and not taken")
        } else if is_once {
            let must_differ = promise == Promise::EachOnce && first.host == second.host;
            must_differ.then_some("both copies went to one host")
        } else if promise == Promise::EachOnce {
            Some("not accepted first and then refused")
        } else if self
            .fault
            .is_some_and(|fault| second.is_before(fault) && first.is_before(fault))
        {
            Some("not accepted first and then refused, before the fault")
        } else if lost > 0 && promise != Promise::NeverTwiceLosing {
            Some("no answer")
        } else if self
            .fault
            .is_some_and(|fault| first.sent > fault.ended + limit)
        {
            Some("not accepted after the recovery")
        } else if !distrusts && accepted + replayed + later + lost < 2 {
            Some("refused, and not as a replay")
        } else if !distrusts && replayed == 2 {
            Some("refused as a replay, and never accepted")
        } else {
            None
        }
    }

    /// Without these, the scene would show nothing.
    fn problems_with(&self, fault: Fault, limit: Duration) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        check(self.is_seen(fault), "the fault had no effect");
        let is_across = |[first, second]: &[Copy; 2]| {
            let was_accepted = first.outcome == Outcome::Accepted && first.is_before(fault);
            was_accepted && second.sent > fault.ended
        };
        let across = self.sent.iter().any(|sent| is_across(&sent.copies));
        check(across, "no replay across the fault was sent");
        let late = self.sent.iter();
        let late = late.filter(|sent| sent.copies[0].sent > fault.ended + limit);
        check(late.count() > 0, "nothing was sent after the recovery");
        let in_time = self.recovery(fault).is_some_and(|time| time <= limit);
        check(in_time, "nothing was accepted in time after the fault");
        problems
    }

    /// Whether requests had no answer or 503, or those for a killed host went to the others.
    fn is_seen(&self, fault: Fault) -> bool {
        let copies = self.sent.iter().flat_map(|sent| &sent.copies);
        let sent_since = |began| {
            let is_meanwhile = move |copy: &&Copy| began < copy.sent && copy.sent < fault.ended;
            copies.filter(is_meanwhile)
        };
        let Some(host) = fault.host else {
            let is_failure =
                |copy: &Copy| matches!(copy.outcome, Outcome::TryLater(_) | Outcome::Lost);
            return sent_since(fault.began).any(is_failure);
        };
        // It takes a moment until the host is dead.
        let mut late = sent_since(fault.began + (fault.ended - fault.began) / 2).peekable();
        late.peek().is_some() && late.all(|copy| copy.host != Some(host))
    }
}

impl Copy {
    fn is_before(&self, fault: Fault) -> bool {
        self.answered < fault.began
    }
}

impl Row {
    /// Whether the scene has shown what it promises.
    pub(crate) fn holds(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cells)?;
        for problem in &self.problems {
            write!(f, "\n  MISSED: {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {}", self.order)?;
        for copy in &self.copies {
            write!(
                f,
                ", {:?} by {}",
                copy.outcome,
                copy.host.unwrap_or("no host")
            )?;
        }
        Ok(())
    }
}
