//! What is kept in Redis, and the scripts that change it. Each runs as one step, by the clock of Redis, and
//! may be repeated.
//!
//! A group is a sorted set of its servers' URLs by the end of their leases, in milliseconds; the groups
//! themselves are one more, by the end of their last lease. Both end with what they hold. Whatever changes
//! is said on a channel.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ::redis::{Client, FromRedisValue, RedisError, Script, ScriptInvocation};
use tokio::time::{Instant, timeout_at};

use super::connection::Shared;
use crate::registry::directory::{Bounds, check_texts, full, milliseconds};
use crate::status::Status;

/// How long Redis may take for a call, also where it has to be connected to.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// `KEYS`: the group and the groups. `ARGV`: the group's name, the URL, the length of the lease, the bounds
/// on servers and groups, the channel.
static REGISTER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local ends = now + ARGV[3]
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
        local has_group = redis.call('ZSCORE', KEYS[2], ARGV[1])
        if not has_group and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
            return 'groups'
        end
        local known = redis.call('ZSCORE', KEYS[1], ARGV[2])
        if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
            return 'servers'
        end
        redis.call('ZADD', KEYS[1], ends, ARGV[2])
        local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
        redis.call('ZADD', KEYS[2], last[2], ARGV[1])
        redis.call('PEXPIREAT', KEYS[1], last[2])
        last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
        redis.call('PEXPIREAT', KEYS[2], last[2])
        if not known or ends < tonumber(known) then
            redis.call('PUBLISH', ARGV[6], ARGV[1])
        end
        return 'done'
        ",
    )
});

/// `KEYS`: the group and the groups. `ARGV`: the group's name, the URL, the channel.
static REMOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('ZREM', KEYS[1], ARGV[2]) == 1 then
            redis.call('PUBLISH', ARGV[3], ARGV[1])
        end
        if redis.call('ZCARD', KEYS[1]) == 0 then
            redis.call('ZREM', KEYS[2], ARGV[1])
        end
        return 'done'
        ",
    )
});

/// `KEYS`: the group. `ARGV`: how many servers at most. Returns in how many milliseconds the first lease
/// ends, -1 without any, and the URLs.
static SERVERS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local alive = redis.call(
            'ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
        local first, urls = -1, {}
        if alive[2] then
            first = tonumber(alive[2]) - now
        end
        for place = 1, #alive, 2 do
            urls[#urls + 1] = alive[place]
        end
        return { first, urls }
        ",
    )
});

/// What is kept where.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) client: Client,
    /// What the names of keys begin with.
    pub(super) prefix: Arc<str>,
    pub(super) bounds: Bounds,
}

/// What is in Redis.
pub(super) struct Store {
    pub(super) settings: Settings,
    connection: Shared,
}

impl Store {
    pub(super) fn new(settings: Settings) -> Self {
        let connection = Shared::default();
        Self {
            settings,
            connection,
        }
    }

    /// Returns the channel on which changes are said.
    pub(super) fn channel(&self) -> String {
        format!("{}changes", self.settings.prefix)
    }

    fn group_key(&self, group: &str) -> String {
        format!("{}group:{group}", self.settings.prefix)
    }

    fn groups_key(&self) -> String {
        format!("{}groups", self.settings.prefix)
    }

    pub(super) async fn register(
        &self,
        group: &str,
        url: &str,
        lease: Duration,
    ) -> Result<Duration, Status> {
        check_texts(&[group, url])?;
        let bounds = &self.settings.bounds;
        let lease = bounds.lease(lease);
        let mut script = REGISTER.prepare_invoke();
        script.key(self.group_key(group)).key(self.groups_key());
        script.arg(group).arg(url);
        script.arg(milliseconds(lease));
        script.arg(bounds.servers).arg(bounds.groups);
        script.arg(self.channel());
        match self.run::<String>(&script).await?.as_str() {
            "done" => Ok(lease),
            "groups" => Err(full("groups", bounds.groups)),
            _ => Err(full("servers of a group", bounds.servers)),
        }
    }

    pub(super) async fn remove(&self, group: &str, url: &str) -> Result<(), Status> {
        check_texts(&[group, url])?;
        let mut script = REMOVE.prepare_invoke();
        script.key(self.group_key(group)).key(self.groups_key());
        script.arg(group).arg(url).arg(self.channel());
        self.run::<String>(&script).await.map(drop)
    }

    /// Returns the servers of a group, and in what time the first of their leases ends.
    pub(super) async fn servers(
        &self,
        group: &str,
    ) -> Result<(Vec<String>, Option<Duration>), Status> {
        check_texts(&[group])?;
        let mut script = SERVERS.prepare_invoke();
        script.key(self.group_key(group));
        script.arg(self.settings.bounds.servers);
        let (first, mut urls) = self.run::<(i64, Vec<String>)>(&script).await?;
        urls.sort();
        Ok((urls, u64::try_from(first).ok().map(Duration::from_millis)))
    }

    /// Runs a script; once more on a new connection, where the old one was lost. All of it together has
    /// its time.
    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Status> {
        let until = Instant::now() + PATIENCE;
        let mut is_first = true;
        loop {
            let shared = self.connection.get(&self.settings.client);
            let made = timeout_at(until, shared.made()).await;
            let mut connection = made.map_err(|_| silent())??;
            let error = match timeout_at(until, script.invoke_async(&mut connection)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    // Whatever is wrong with it may not be wrong with the next one.
                    self.connection.forget(&shared);
                    return Err(silent());
                }
            };
            let is_lost = error.is_io_error() || error.is_connection_dropped();
            if is_lost {
                self.connection.forget(&shared);
            }
            if !is_lost || !is_first {
                return Err(unavailable(error));
            }
            is_first = false;
        }
    }
}

fn silent() -> Status {
    Status::unavailable("the Redis of the registry does not answer")
}

pub(super) fn unavailable(error: RedisError) -> Status {
    Status::unavailable("the registry cannot reach its Redis").with_source(error)
}
