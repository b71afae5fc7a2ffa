//! The URLs that byte streams are found at.

use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

const EXPECTED: &str = "expected `tcp://host:port`, `tls://host:port`, `unix:///path`, `mem:name` or `stdio:program argument …`";

/// Where a byte stream comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `tcp://host:port`; an IPv6 host without its brackets.
    Tcp { host: String, port: u16 },
    /// `tls://host:port`: TLS over TCP.
    Tls { host: String, port: u16 },
    /// `unix:///path` or `unix://relative/path`.
    Unix(PathBuf),
    /// `mem:name`.
    Memory(String),
    /// `stdio:program argument …`, or `stdio:` alone for the process's own input and output.
    Stdio(Option<Vec<String>>),
}

/// Says what is wrong with an address and what is expected instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressError {
    message: String,
}

impl AddressError {
    fn new(address: &str, problem: impl fmt::Display) -> Self {
        let message = format!("address `{address}`: {problem}");
        Self { message }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(address: &str) -> Result<Self, AddressError> {
        parse(address.trim()).map_err(|problem| AddressError::new(address, problem))
    }
}

fn parse(address: &str) -> Result<Address, String> {
    let Some((scheme, rest)) = address.split_once(':') else {
        return Err(format!("it has no scheme, {EXPECTED}"));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "tcp" => parse_host_and_port("tcp", rest).map(|(host, port)| Address::Tcp { host, port }),
        "tls" => parse_host_and_port("tls", rest).map(|(host, port)| Address::Tls { host, port }),
        "unix" => parse_unix(rest),
        "mem" => parse_memory(rest),
        "stdio" => parse_stdio(rest),
        // `localhost:8080`, the commonest slip.
        _ if rest.parse::<u16>().is_ok() => {
            Err(format!("it has no scheme, for TCP write `tcp://{address}`"))
        }
        _ => Err(format!("unknown scheme `{scheme}`, {EXPECTED}")),
    }
}

fn parse_host_and_port(scheme: &str, rest: &str) -> Result<(String, u16), String> {
    let write = format!("write `{scheme}://host:port`, such as `{scheme}://127.0.0.1:8080`");
    let Some(authority) = rest.strip_prefix("//") else {
        return Err(format!("two slashes follow `{scheme}:`, {write}"));
    };
    if authority.contains(['/', '?', '#', '@']) {
        return Err(format!("it has more than a host and a port, {write}"));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed
                .split_once(']')
                .ok_or("the bracket of the IPv6 address is not closed")?;
            check_ipv6(host)?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.ok_or_else(|| format!("the port is missing, {write}"))?;
    if !authority.starts_with('[') {
        check_host(scheme, host)?;
    }
    // `u16::from_str` would allow a plus sign.
    let port = if port.bytes().all(|byte| byte.is_ascii_digit()) {
        port.parse().ok()
    } else {
        None
    };
    let port = port.ok_or("the port is not a number between 0 and 65535")?;
    Ok((host.to_owned(), port))
}

fn check_ipv6(host: &str) -> Result<(), String> {
    // A link-local address carries its interface: `fe80::1%eth0`.
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    if address.parse::<Ipv6Addr>().is_err() || zone == Some("") {
        return Err(format!("`{host}` is not an IPv6 address"));
    }
    Ok(())
}

fn check_host(scheme: &str, host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("the host is missing, to listen on every interface write `0.0.0.0`".into());
    }
    if host.contains(':') {
        return Err(format!(
            "an IPv6 address needs brackets, such as `{scheme}://[::1]:8080`"
        ));
    }
    if host.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(format!("`{}` is not a host name", host.escape_debug()));
    }
    Ok(())
}

fn parse_unix(rest: &str) -> Result<Address, String> {
    const WRITE: &str = "write `unix:///absolute/path` or `unix://relative/path`";
    let Some(path) = rest.strip_prefix("//") else {
        return Err(format!("two slashes follow `unix:`, {WRITE}"));
    };
    if path.is_empty() {
        return Err(format!("the path is missing, {WRITE}"));
    }
    if path.starts_with('@') || path.contains('\0') {
        return Err(format!("abstract socket names are not supported, {WRITE}"));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

fn parse_memory(name: &str) -> Result<Address, String> {
    if name.is_empty() {
        return Err("the name is missing, write `mem:name`".into());
    }
    if name.starts_with('/') {
        return Err("no slashes follow `mem:`, write `mem:name`".into());
    }
    Ok(Address::Memory(name.to_owned()))
}

fn parse_stdio(rest: &str) -> Result<Address, String> {
    if rest.starts_with("//") {
        return Err(
            "no slashes follow `stdio:`, write `stdio:program argument …`, or `stdio:` alone \
             to serve on standard input and output"
                .into(),
        );
    }
    let words = rest.split_whitespace().map(unescape);
    let command = words.collect::<Result<Vec<_>, _>>()?;
    Ok(Address::Stdio((!command.is_empty()).then_some(command)))
}

/// Replaces each `%XX`, by which an argument can contain white space.
fn unescape(word: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut parts = word.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let byte = part.get(..2).and_then(hexadecimal).ok_or_else(|| {
            format!("`%` in `{word}` needs two hexadecimal digits (`%20` is a space, `%25` is `%`)")
        })?;
        if byte == 0 {
            return Err(format!(
                "`{word}` contains a zero byte, which no argument can"
            ));
        }
        bytes.push(byte);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| format!("`{word}` is not UTF-8 once unescaped"))
}

fn hexadecimal(digits: &str) -> Option<u8> {
    // `from_str_radix` would allow a plus sign.
    let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(formatter, "tcp://{}", HostAndPort(host, *port)),
            Self::Tls { host, port } => write!(formatter, "tls://{}", HostAndPort(host, *port)),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Memory(name) => write!(formatter, "mem:{name}"),
            Self::Stdio(command) => {
                formatter.write_str("stdio:")?;
                for (position, word) in command.iter().flatten().enumerate() {
                    let space = if position == 0 { "" } else { " " };
                    write!(formatter, "{space}{}", Escaped(word))?;
                }
                Ok(())
            }
        }
    }
}

/// Both in one, with the brackets that an IPv6 address needs.
struct HostAndPort<'a>(&'a str, u16);

impl fmt::Display for HostAndPort<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

/// One word of a command, such that it stays one word.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character == '%' || character.is_whitespace() || character.is_control() {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    write!(formatter, "%{byte:02X}")?;
                }
            } else {
                write!(formatter, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address::Tcp { host, port }
    }

    fn stdio(words: &[&str]) -> Address {
        Address::Stdio(Some(words.iter().map(|word| (*word).to_owned()).collect()))
    }

    #[test]
    fn addresses_are_understood_and_written_back() {
        for (text, address) in [
            ("tcp://127.0.0.1:8080", tcp("127.0.0.1", 8080)),
            ("tcp://localhost:0", tcp("localhost", 0)),
            ("tcp://[::1]:80", tcp("::1", 80)),
            ("tcp://[fe80::1%eth0]:80", tcp("fe80::1%eth0", 80)),
            (
                "tls://[::1]:443",
                Address::Tls {
                    host: "::1".to_owned(),
                    port: 443,
                },
            ),
            (
                "unix:///run/rpc.sock",
                Address::Unix("/run/rpc.sock".into()),
            ),
            (
                "unix://run/a b%20.sock",
                Address::Unix("run/a b%20.sock".into()),
            ),
            ("unix://./@x", Address::Unix("./@x".into())),
            ("mem:a test: 1", Address::Memory("a test: 1".into())),
            ("stdio:", Address::Stdio(None)),
            ("stdio:cat", stdio(&["cat"])),
            (
                "stdio:/bin/worker --name=a%20b%25 ü%E2%80%83x",
                stdio(&["/bin/worker", "--name=a b%", "ü\u{2003}x"]),
            ),
        ] {
            assert_eq!(text.parse(), Ok(address.clone()), "{text}");
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn other_spellings_of_the_same_are_understood() {
        for (text, same) in [
            (" TCP://[::1]:080\n", "tcp://[::1]:80"),
            ("stdio:  a\t b ", "stdio:a b"),
            ("stdio:%63at", "stdio:cat"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), same);
        }
    }

    #[test]
    fn mistakes_are_told_with_what_to_write() {
        for (text, part) in [
            ("", "no scheme, expected `tcp://host:port`"),
            ("127.0.0.1", "no scheme"),
            ("localhost:80", "for TCP write `tcp://localhost:80`"),
            (
                "http://x",
                "unknown scheme `http`, expected `tcp://host:port`, `tls://host:port`, `unix:///path`, `mem:name`",
            ),
            ("tcp:127.0.0.1:80", "two slashes follow `tcp:`"),
            (
                "tls:x:1",
                "two slashes follow `tls:`, write `tls://host:port`",
            ),
            ("tls://::1:80", "such as `tls://[::1]:8080`"),
            ("tcp://127.0.0.1", "the port is missing"),
            ("tcp://[::1]", "the port is missing"),
            ("tcp://[::1]80", "the port is missing"),
            ("tcp://h:", "not a number between 0 and 65535"),
            ("tcp://h:+1", "not a number between 0 and 65535"),
            ("tcp://h:65536", "not a number between 0 and 65535"),
            ("tcp://h:80/path", "more than a host and a port"),
            ("tcp://me@h:80", "more than a host and a port"),
            ("tcp://:80", "`0.0.0.0`"),
            ("tcp://::1:80", "needs brackets"),
            ("tcp://[::1:80", "not closed"),
            ("tcp://[h]:80", "`h` is not an IPv6 address"),
            ("tcp://[::1%]:80", "`::1%` is not an IPv6 address"),
            ("tcp://a b:80", "`a b` is not a host name"),
            ("unix:/run/x", "two slashes follow `unix:`"),
            ("unix://", "the path is missing"),
            ("unix://@name", "abstract socket names are not supported"),
            ("unix://\0name", "abstract socket names are not supported"),
            ("mem:", "write `mem:name`"),
            ("mem://x", "no slashes follow `mem:`"),
            ("stdio://cat", "no slashes follow `stdio:`"),
            ("stdio:a %2", "two hexadecimal digits"),
            ("stdio:a %+1", "two hexadecimal digits"),
            ("stdio:a %2ü", "two hexadecimal digits"),
            ("stdio:a %00", "zero byte"),
            ("stdio:a %FF", "not UTF-8"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("address `{text}`: ")), "{error}");
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
