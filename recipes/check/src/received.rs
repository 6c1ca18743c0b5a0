//! A request as a server reads it, for stand-ins.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
};

pub struct Received {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    /// Reads one; `None` if the peer has only connected.
    pub fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            line.trim_end().to_owned()
        };
        let first = line();
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        while let Some((name, value)) = line().split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let len = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; len.map_or(0, |(_, len)| len.parse().expect("a length"))];
        reader.read_exact(&mut body).expect("a body");
        let body = String::from_utf8(body).expect("text");
        Some(Self { method, target, headers, body })
    }
}
