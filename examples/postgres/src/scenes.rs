//! What happens to a host in a year, in a minute: each scene changes the database, and looks at the requests meanwhile.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use hmac_auth::{CachedDirectory, client::Client, generate_secret};
use tokio::time::{sleep, sleep_until};

use crate::{
    checks::{Checks, millis, scene},
    directory::{PostgresDirectory, changes, forget_changed},
    host::Host,
    operator::Operator,
    traffic::{Call, Outcome, REQUESTS_PER_SECOND, Site, Traffic},
};

pub(crate) const TIME_TO_LIVE: Duration = Duration::from_secs(3);
pub(crate) const REVOCATION_TIME: Duration = Duration::from_secs(10);

/// How long an id stays unknown: the cache says so.
const UNKNOWN_TIME: Duration = Duration::from_secs(1);

/// How soon a notice of the database has reached the host, with room for a busy machine.
const NOTICE_TIME: Duration = Duration::from_millis(500);

/// How long a look-up lasts at most: the directory says so.
const LOOK_UP_TIME: Duration = Duration::from_secs(3);

/// How soon all consumers are served again when the database is back: a failure is remembered for a second.
const RECOVERY_TIME: Duration = LOOK_UP_TIME.saturating_add(Duration::from_secs(1));

type Done = Result<(), Box<dyn Error>>;

pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) cache: CachedDirectory<PostgresDirectory>,
    pub(crate) database: String,
    pub(crate) operator: Operator,
    pub(crate) client: Client,
    pub(crate) sites: Vec<Site>,
    pub(crate) traffic: Traffic,
}

impl Stage {
    /// Each row of the table, and nobody else.
    pub(crate) async fn look_alike(&self, checks: &mut Checks) -> Done {
        scene("Unknown, wrong and revoked");
        let gone = self.add("gone").await?;
        self.operator.revoke(&gone.key_id).await?;
        let nobody = Site::new("nobody", 0, &generate_secret()?);
        let wrong = Site::new(&*self.sites[0].key_id, 0, &generate_secret()?);
        let mut answers = Vec::new();
        for site in [&gone, &nobody, &wrong] {
            let answer = self.call(site).await;
            checks.check(
                answer.outcome == Outcome::Refused,
                &format!("{}: {:?}", site.key_id, answer.outcome),
            );
            answers.push(answer.text);
        }
        answers.dedup();
        checks.check(answers.len() == 1, "the three answers have the same bytes");
        let refused = self.host.seen().refused;
        let kinds = ["revoked", "unknown_key_id", "wrong_mac"];
        checks.check(
            kinds.iter().all(|kind| refused.get(kind) == Some(&1)),
            &format!("the operator reads which is which: {refused:?}"),
        );
        Ok(())
    }

    pub(crate) async fn add_a_consumer(&self, checks: &mut Checks) -> Done {
        scene("A consumer is added");
        let secret = generate_secret()?;
        let site = Site::new("added", 100, &secret);
        let before = self.call(&site).await;
        checks.check(before.outcome == Outcome::Refused, "it is refused before");
        self.operator
            .add(&site.key_id, site.tenant, &secret)
            .await?;
        let added = Instant::now();
        let mut accepted = None;
        // The last probe is sent when it must be accepted.
        loop {
            let sent = added.elapsed();
            if self.call(&site).await.outcome == Outcome::Accepted {
                accepted.get_or_insert(sent);
            }
            if sent >= UNKNOWN_TIME {
                break;
            }
            let left = UNKNOWN_TIME.saturating_sub(sent);
            sleep(left.min(Duration::from_millis(20))).await;
        }
        let what = accepted.map_or("never".to_owned(), |after| format!("{} ms", millis(after)));
        checks.check(
            accepted.is_some(),
            &format!("it is accepted when it calls 1 s later; the first accepted call: {what}"),
        );
        Ok(())
    }

    pub(crate) async fn rotate_all(&self, checks: &mut Checks) -> Done {
        scene("All secrets are rotated");
        // One consumer that does not wait, to see that the others have a reason to.
        let hasty = self.add("hasty").await?;
        let first = self.call(&hasty).await;
        checks.check(first.outcome == Outcome::Accepted, "hasty is accepted");
        let secret = generate_secret()?;
        self.operator.rotate(&hasty.key_id, &secret).await?;
        hasty.use_secret(&secret);
        let answer = self.call(&hasty).await;
        checks.check(
            answer.outcome == Outcome::Refused,
            "hasty has not waited for the host, and is refused",
        );

        let began = Instant::now();
        let mut secrets = Vec::new();
        for site in &self.sites {
            let secret = generate_secret()?;
            self.operator.rotate(&site.key_id, &secret).await?;
            secrets.push(secret);
        }
        // The host has them now. It knows them after the time to live.
        sleep(TIME_TO_LIVE).await;
        for (site, secret) in self.sites.iter().zip(&secrets) {
            site.use_secret(secret);
        }
        let answer = self.call(&hasty).await;
        checks.check(
            answer.outcome == Outcome::Accepted,
            "hasty is accepted after the time to live",
        );

        // Nobody signs with the previous secret any more.
        self.traffic.between(began, Instant::now()).await;
        let before = self.host.seen().by_previous_secret;
        sleep(Duration::from_secs(1)).await;
        let previous = self.host.seen().by_previous_secret - before;
        checks.check(
            previous == 0,
            &format!("{previous} requests by a previous secret in a second"),
        );
        let mut deleted = 0;
        for site in &self.sites {
            deleted += self.operator.retire(&site.key_id).await?;
        }
        checks.check(
            deleted == self.sites.len() as u64,
            &format!("{deleted} previous secrets are deleted"),
        );
        sleep(TIME_TO_LIVE).await;
        let calls = self.traffic.between(began, Instant::now()).await;
        checks.all(&calls, Outcome::Accepted, "the consumers meanwhile");
        Ok(())
    }

    /// Revokes the consumer with this index, which is refused after `within` at the latest.
    pub(crate) async fn revoke(&self, index: usize, within: Duration, checks: &mut Checks) -> Done {
        let key_id = &self.sites[index].key_id;
        let began = Instant::now();
        self.operator.revoke(key_id).await?;
        let revoked = Instant::now();
        sleep(within + Duration::from_secs(2)).await;
        let calls = self.traffic.between(began, Instant::now()).await;
        let (its, others): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|call| call.key_id == *key_id);
        let last = its.iter().filter(|call| call.is(Outcome::Accepted));
        let last = last
            .map(|call| call.sent.saturating_duration_since(revoked))
            .max();
        println!(
            "the last accepted request came {} ms after the commit",
            millis(last.unwrap_or_default())
        );
        let after: Vec<_> = sent_from(&its, revoked + within);
        let what = format!("{key_id}, {} ms after the commit", millis(within));
        checks.all(&after, Outcome::Refused, &what);
        let others: Vec<_> = others
            .into_iter()
            .filter(|call| self.serves(call))
            .collect();
        checks.all(&others, Outcome::Accepted, "the other consumers meanwhile");
        Ok(())
    }

    pub(crate) async fn lose_the_database(&self, checks: &mut Checks) -> Done {
        scene("The database is down");
        self.operator.stop_database().await?;
        let stopped = Instant::now();
        let unseen = Site::new("unseen", 0, &generate_secret()?);
        let answer = self.call(&unseen).await;
        checks.check(
            answer.outcome == Outcome::TryLater,
            "a consumer that the host has not seen gets 503 with Retry-After",
        );
        sleep_until((stopped + REVOCATION_TIME + Duration::from_secs(2)).into()).await;
        let over = Instant::now();
        let calls = self.traffic.between(stopped, over).await;
        let calls: Vec<_> = calls.into_iter().filter(|call| self.serves(call)).collect();
        // The last answer may have been as old as the time to live, and half a second older if a consumer paused. A request
        // may wait for a look-up that fails.
        let pause = Duration::from_millis(500);
        let good = REVOCATION_TIME.saturating_sub(TIME_TO_LIVE + pause + LOOK_UP_TIME);
        let (early, late): (Vec<_>, Vec<_>) = calls
            .into_iter()
            .partition(|call| call.sent < stopped + good);
        let first = format!("the known ones, for {} ms", millis(good));
        checks.all(&early, Outcome::Accepted, &first);
        let last = late.iter().filter(|call| call.is(Outcome::Accepted));
        let last = last.map(|call| call.sent - stopped).max();
        println!(
            "the last accepted request came {} ms after the stop",
            millis(last.unwrap_or_default())
        );
        let after = sent_from(&late, stopped + REVOCATION_TIME);
        checks.all(&after, Outcome::TryLater, "all, after the revocation time");

        self.operator.start_database().await?;
        let back = Instant::now();
        sleep(RECOVERY_TIME + Duration::from_secs(1)).await;
        let calls = self.traffic.between(back, Instant::now()).await;
        let calls: Vec<_> = calls.into_iter().filter(|call| self.serves(call)).collect();
        let last = calls.iter().filter(|call| !call.is(Outcome::Accepted));
        let last = last.map(|call| call.sent - back).max();
        println!(
            "the last refused request came {} ms after the start",
            millis(last.unwrap_or_default())
        );
        let after = sent_from(&calls, back + RECOVERY_TIME);
        checks.all(&after, Outcome::Accepted, "all, when the database is back");
        Ok(())
    }

    /// From now on, the database says what has changed.
    pub(crate) async fn listen(&self) -> Done {
        let changes = changes(&self.database).await?;
        tokio::spawn(forget_changed(changes, self.cache.clone()));
        Ok(())
    }

    pub(crate) async fn add_and_revoke_at_once(&self, checks: &mut Checks) -> Done {
        scene("With notices of the database");
        let site = Site::new("noticed", 101, &generate_secret()?);
        self.call(&site).await;
        let secret = generate_secret()?;
        site.use_secret(&secret);
        self.operator
            .add(&site.key_id, site.tenant, &secret)
            .await?;
        sleep(NOTICE_TIME).await;
        let answer = self.call(&site).await;
        checks.check(
            answer.outcome == Outcome::Accepted,
            &format!(
                "an added consumer is accepted {} ms later",
                millis(NOTICE_TIME)
            ),
        );
        self.revoke(1, NOTICE_TIME, checks).await
    }

    /// Whether all requests were sent in their time.
    pub(crate) async fn rate(&self, began: Instant, checks: &mut Checks) {
        scene("In all");
        let elapsed = began.elapsed();
        let calls = self.traffic.between(began, began + elapsed).await;
        let expected = elapsed.as_secs_f64() * f64::from(REQUESTS_PER_SECOND);
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let share = calls.len() as f64 / expected;
        checks.check(
            share > 0.95,
            &format!(
                "{} requests in {} s, {:.0} % of {REQUESTS_PER_SECOND} a second",
                calls.len(),
                elapsed.as_secs(),
                share * 100.0
            ),
        );
        let seen = self.host.seen();
        println!("refused, by kind: {:?}", seen.refused);
        println!("reasons of 503: {:#?}", seen.failures);
    }

    async fn add(&self, key_id: &str) -> Result<Site, Box<dyn Error>> {
        let secret = generate_secret()?;
        self.operator.add(key_id, 99, &secret).await?;
        Ok(Site::new(key_id, 99, &secret))
    }

    async fn call(&self, site: &Site) -> crate::traffic::Answer {
        site.call(&self.client, self.host.address).await
    }

    /// The first two are revoked in the course of time.
    fn serves(&self, call: &Call) -> bool {
        self.sites[2..]
            .iter()
            .any(|site| site.key_id == call.key_id)
    }
}

fn sent_from(calls: &[Call], time: Instant) -> Vec<Call> {
    let after = calls.iter().filter(|call| call.sent >= time);
    after.cloned().collect()
}
