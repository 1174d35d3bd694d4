//! The other side of targets over HTTP: a server of a few lines that does as it is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Fault, World};
use crate::config::TargetKind;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The request line and the headers, names in lower case.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.iter().find_map(|line| line.strip_prefix(&prefix))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct State {
    next: VecDeque<Fault>,
    always: Option<Fault>,
    /// Said instead of success, once.
    answer: Option<String>,
    taken: Vec<Request>,
}

pub(crate) struct HttpWorld {
    state: Arc<Mutex<State>>,
    addr: SocketAddr,
    kind: fn(SocketAddr) -> TargetKind,
    id: fn(&Request) -> String,
}

impl HttpWorld {
    pub(crate) fn new(kind: fn(SocketAddr) -> TargetKind, id: fn(&Request) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        HttpWorld {
            state,
            addr,
            kind,
            id,
        }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().taken.clone()
    }

    /// The next attempt is answered with this: status line, headers, body.
    pub(crate) fn answer(&self, text: &str) {
        self.state.lock().unwrap().answer = Some(text.to_owned());
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let (fault, answer) = {
            let mut state = state.lock().unwrap();
            let fault = state.next.pop_front().or(state.always);
            let answer = state.answer.take();
            if answer.is_none() && matches!(fault, None | Some(Fault::AnswerLost)) {
                state.taken.push(request.clone());
            }
            (fault, answer)
        };
        let head = request.head.join("|");
        let text = match (answer, fault) {
            (Some(answer), _) => {
                let _ = stream.write_all(answer.replace("ECHO", &head).as_bytes());
                return;
            }
            (None, None) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            (None, Some(Fault::AnswerLost)) => return,
            (None, Some(Fault::Hang)) => {
                std::thread::sleep(Duration::from_secs(5));
                return;
            }
            (None, Some(Fault::Half)) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le");
                return;
            }
            (None, Some(Fault::Refuse)) => status(503),
            (None, Some(Fault::Misconfigured)) => status(401),
            (None, Some(Fault::Never)) => status(400),
        };
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn status(code: u16) -> String {
    format!("HTTP/1.1 {code} no\r\ncontent-length: 2\r\n\r\nno")
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        head.push(match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        });
    }
    let request = Request {
        head,
        body: Vec::new(),
    };
    let length = request.header("content-length")?.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { body, ..request })
}

impl World for HttpWorld {
    fn kind(&self) -> TargetKind {
        (self.kind)(self.addr)
    }

    fn next(&self, faults: &[Fault]) {
        self.state.lock().unwrap().next.extend(faults);
    }

    fn always(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().always = fault;
    }

    fn taken(&self) -> Vec<String> {
        self.requests().iter().map(self.id).collect()
    }
}
