//! Why Redis did not say whether a signature was used: for the operator, with what helps.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// A code of Redis is a word of its own. What follows it may hold anything, and is not shown.
const MAX_CODE_LEN: usize = 24;

#[derive(Debug)]
pub(super) enum Trouble {
    Late(Duration),
    /// The connection has time limits of its own.
    GaveUp,
    /// The connection could not be made, or it broke.
    Connection(Option<io::ErrorKind>),
    Full,
    ReadOnly,
    Loading,
    /// It answers, but will not write at the moment.
    Stopped(Code),
    /// Another node of a cluster has this key.
    Moved,
    /// The client cannot even connect as it is told to.
    SetUp,
    Login(Code),
    NotPermitted(Arc<str>),
    Refused(Code),
    UnexpectedAnswer,
}

/// The first word of an error of Redis; empty if it is no such word.
#[derive(Debug)]
pub(super) struct Code(Box<str>);

impl Trouble {
    pub(super) fn of(error: &RedisError, key_prefix: &Arc<str>) -> Self {
        if error.is_timeout() {
            return Self::GaveUp;
        }
        let code = error.code().unwrap_or_default();
        match error.kind() {
            ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel => {
                return Self::Connection(io_kind(error));
            }
            ErrorKind::InvalidClientConfig
            | ErrorKind::Client
            | ErrorKind::EmptySentinelList
            | ErrorKind::RESP3NotSupported => return Self::SetUp,
            ErrorKind::AuthenticationFailed => return Self::Login(Code::new(code)),
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => return Self::UnexpectedAnswer,
            ErrorKind::Server(ServerErrorKind::ReadOnly) => return Self::ReadOnly,
            ErrorKind::Server(ServerErrorKind::BusyLoading) => return Self::Loading,
            ErrorKind::Server(ServerErrorKind::NoPerm) => {
                return Self::NotPermitted(Arc::clone(key_prefix));
            }
            _ => {}
        }
        match code {
            "OOM" => Self::Full,
            "NOAUTH" | "WRONGPASS" => Self::Login(Code::new(code)),
            // A connection that knows of clusters gets it in the moment in which a slot moves. Any
            // other one gets it for most keys, and for ever.
            "MOVED" => Self::Moved,
            "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "ASK" | "MISCONF" | "NOREPLICAS"
            | "BUSY" => Self::Stopped(Code::new(code)),
            code => Self::Refused(Code::new(code)),
        }
    }

    /// A word for metrics if this is an outage: time or a repair of Redis helps. If not, the two are
    /// set up wrongly.
    pub(super) fn outage(&self) -> Option<&'static str> {
        match self {
            Self::Late(_) | Self::GaveUp => Some("late"),
            Self::Connection(_) => Some("connection"),
            Self::Full => Some("full"),
            Self::ReadOnly => Some("read_only"),
            Self::Loading => Some("loading"),
            Self::Stopped(_) => Some("stopped"),
            Self::Moved
            | Self::SetUp
            | Self::Login(_)
            | Self::NotPermitted(_)
            | Self::Refused(_)
            | Self::UnexpectedAnswer => None,
        }
    }
}

fn io_kind(error: &RedisError) -> Option<io::ErrorKind> {
    let cause = error.source()?;
    // The crate `redis` shares it among the clones of the error.
    let cause = match cause.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        Some(shared) => &**shared,
        None => cause,
    };
    cause.downcast_ref().map(io::Error::kind)
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(limit) => write!(
                f,
                "Redis did not answer within {limit:?}: it is down, slow or out of reach; if it is \
                 far away, raise `time_limit`"
            ),
            Self::GaveUp => f.write_str(
                "the connection to Redis gave up waiting: Redis is down, slow or out of reach; \
                 `response_timeout` and `connection_timeout` of the connection say how long it waits",
            ),
            Self::Connection(kind) => {
                f.write_str("there is no connection to Redis")?;
                if let Some(kind) = kind {
                    write!(f, " ({kind})")?;
                }
                f.write_str(": start Redis, or correct its address, its TLS or the firewall")
            }
            Self::Full => f.write_str(
                "Redis has no memory left (OOM): raise its `maxmemory`, and keep \
                 `maxmemory-policy noeviction`",
            ),
            Self::ReadOnly => f.write_str(
                "this Redis is a replica (READONLY), as after a failover: connect to the new \
                 primary; on this one, `CLIENT KILL TYPE normal` makes its clients connect again",
            ),
            Self::Loading => {
                f.write_str("Redis is loading its data (LOADING): wait until it is ready")
            }
            Self::Stopped(code) => write!(
                f,
                "Redis does not write at the moment{code}: look into its log, and at its disk, \
                 its replicas and its cluster"
            ),
            Self::Moved => f.write_str(
                "another node of the cluster has this key (MOVED): give the guard a \
                 `ClusterConnection`; if it has one, a slot was just moved, and the next try helps",
            ),
            Self::SetUp => f.write_str(
                "the client of Redis is set up wrongly: correct its URL and protocol, and for TLS \
                 install a provider of cryptography for rustls",
            ),
            Self::Login(code) => write!(
                f,
                "Redis refuses the login{code}: give the right user and password in the URL, and \
                 see `ACL LIST`; without `connect_again`, start this host again after that"
            ),
            Self::NotPermitted(prefix) => write!(
                f,
                "the user of Redis must not do that (NOPERM): permit `SET` on these keys, with \
                 `ACL SETUSER <user> +set ~{prefix}*`"
            ),
            Self::Refused(code) => write!(
                f,
                "Redis refuses the command `SET … NX PX`{code}: see the guide about several hosts"
            ),
            Self::UnexpectedAnswer => f.write_str(
                "the answer is not that of Redis to `SET … NX`: correct the address of Redis, and \
                 let no proxy change the command",
            ),
        }
    }
}

impl Error for Trouble {}

impl Code {
    fn new(code: &str) -> Self {
        let is_word = code.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_code = is_word && code.len() <= MAX_CODE_LEN;
        Self(if is_code { code } else { "" }.into())
    }
}

/// In parentheses, if there is one.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            "" => Ok(()),
            code => write!(f, " ({code})"),
        }
    }
}
