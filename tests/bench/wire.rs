//! An HTTP client with almost no cost of its own, so that only the server is measured.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

/// One connection that is kept open.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    /// The header with the credential.
    credential: String,
    /// The cookie that the server set last.
    cookie: Option<String>,
}

impl Client {
    pub(crate) fn connect(address: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server takes connections");
        stream.set_nodelay(true).expect("it is a TCP connection");
        let credential = format!("Authorization: Bearer {token}");
        Self { reader: BufReader::new(stream), credential, cookie: None }
    }

    /// Signs in. Later requests are sent in the session.
    pub(crate) fn sign_in(&mut self, login: &str, password: &str) {
        let body = serde_json::json!({ "login": login, "password": password }).to_string();
        let status = self.exchange("/api/v1/auth/login", body.as_bytes());
        assert!(status.contains(" 200 "), "{status}");
        let cookie = self.cookie.as_deref().expect("a session has a cookie");
        self.credential = format!("Cookie: {cookie}");
    }

    /// Another connection with the same credential.
    pub(crate) fn another(&self, address: &str) -> Self {
        Self { credential: self.credential.clone(), ..Self::connect(address, "") }
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.credential,
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat());
    }

    /// Returns the number of bytes of the body.
    pub(crate) fn get(&mut self, path: &str) -> usize {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n", self.credential);
        self.send(head.as_bytes())
    }

    /// Sends a JSON body and reads the response, whatever its status is.
    pub(crate) fn exchange(&mut self, path: &str, body: &[u8]) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.answer(&[head.as_bytes(), body].concat()).0
    }

    /// Sends a request and reads the response, which must be a 200.
    fn send(&mut self, request: &[u8]) -> usize {
        let (status, body) = self.answer(request);
        assert!(status.contains(" 200 "), "{status} {}", String::from_utf8_lossy(&body));
        body.len()
    }

    /// The status line and the body.
    fn answer(&mut self, request: &[u8]) -> (String, Vec<u8>) {
        self.reader.get_mut().write_all(request).expect("the server reads");
        let mut status = String::new();
        self.reader.read_line(&mut status).expect("the server answers");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("the server answers");
            if line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().expect("a length is a number"),
                "set-cookie" => self.cookie = value.trim().split(';').next().map(str::to_owned),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("the answer is whole");
        (status, body)
    }
}
