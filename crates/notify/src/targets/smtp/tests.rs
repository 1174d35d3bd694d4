//! The conformance suite with a mail server of a few lines, and a real one with TLS and logins.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::{Connector, Secret};
use meter::Meter;
use testkit::mail::{self, MailServer};
use testkit::openssl::{Authority, Wanted};
use tls::{Alpn, ClientFiles, Keeper};

use super::{Config, Login, Security, Smtp};
use crate::config::TargetKind;
use crate::conformance::every::{Site, event, wait_for};
use crate::conformance::{Fault, World, every_scenario};
use crate::target::Target;
use crate::{Class, Failure, Message};

#[derive(Default)]
struct State {
    next: VecDeque<Fault>,
    always: Option<Fault>,
    taken: Vec<String>,
}

struct Mail {
    state: Arc<Mutex<State>>,
    port: u16,
}

impl Mail {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                // A peer that has gone ends it.
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Mail { state, port }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let fault = {
        let mut state = state.lock().unwrap();
        state.next.pop_front().or(state.always)
    };
    if fault == Some(Fault::Hang) {
        std::thread::sleep(Duration::from_secs(5));
        return None;
    }
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 test")?;
    loop {
        let line = lines.next()?.ok()?;
        match (line.split(' ').next()?, fault) {
            ("EHLO", _) => say("250-test\r\n250 8BITMIME")?,
            ("MAIL", Some(Fault::Refuse)) => say("451 later")?,
            ("MAIL", Some(Fault::Misconfigured)) => say("550 who are you")?,
            ("DATA", _) => {
                say("354 go on")?;
                let mut id = None;
                loop {
                    let line = lines.next()?.ok()?;
                    if fault == Some(Fault::Half) {
                        return None;
                    }
                    if let Some(value) = line.strip_prefix("X-Stella-Event: ") {
                        id = Some(value.to_owned());
                    }
                    assert!(
                        !line.starts_with("X-Evil: é") || id.is_some(),
                        "a header was injected"
                    );
                    if line == "." {
                        break;
                    }
                }
                if fault == Some(Fault::Never) {
                    say("554 not this")?;
                    continue;
                }
                state
                    .lock()
                    .unwrap()
                    .taken
                    .push(id.expect("the header is there"));
                if fault == Some(Fault::AnswerLost) {
                    return None;
                }
                say("250 taken")?;
            }
            ("QUIT", _) => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}

impl World for Mail {
    fn kind(&self) -> TargetKind {
        TargetKind::Smtp(config(self.port, Security::Insecure, None))
    }

    fn next(&self, faults: &[Fault]) {
        self.state.lock().unwrap().next.extend(faults);
    }

    fn always(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().always = fault;
    }

    fn taken(&self) -> Vec<String> {
        self.state.lock().unwrap().taken.clone()
    }
}

every_scenario!(Mail::new());

fn config(port: u16, security: Security, login: Option<Login>) -> Config {
    Config {
        host: "127.0.0.1".to_owned(),
        port,
        security,
        login,
        from: "Stella <stella@example.com>".to_owned(),
        to: vec![
            "oncall@example.com".to_owned(),
            "Ops <ops@example.com>".to_owned(),
        ],
    }
}

fn login(password: &str) -> Option<Login> {
    Some(Login {
        user: mail::USER.to_owned(),
        password: Secret::new(password),
    })
}

fn client(ca: &Path) -> Arc<tls::Client> {
    let files = ClientFiles {
        ca: ca.to_owned(),
        identity: None,
        server_name: None,
        alpn: Alpn::None,
    };
    Keeper::new(&Meter::new()).client("mail", files).unwrap()
}

async fn send(config: &Config) -> Result<(), Failure> {
    let smtp = Smtp::new(config, &Connector::open()).unwrap();
    smtp.send(&Message {
        event: event("inc.1", "inc"),
        title: "Größe: Ünïcode".to_owned(),
        text: "One\n.\n.two\nGrüße\n".to_owned(),
    })
    .await
}

/// Guarantees: a real mail server takes letters over STARTTLS and over TLS from the start, after a
/// login, with subject and text whole; a wrong password, a CA that is not its own and a server
/// without STARTTLS send nothing.
#[tokio::test]
async fn a_real_mail_server_takes_letters() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::root(&folder.path().join("site"));
    let stranger = Authority::root(&folder.path().join("stranger"));
    let own = authority.issue(&Wanted::server("mail"));
    let ours = client(&authority.ca());
    for (server, security) in [
        (
            MailServer::starttls(&own),
            Security::StartTls(Arc::clone(&ours)),
        ),
        (
            MailServer::implicit(&own),
            Security::Implicit(Arc::clone(&ours)),
        ),
    ] {
        let config =
            |security: Security, password: &str| config(server.port(), security, login(password));
        send(&config(security.clone(), mail::PASSWORD))
            .await
            .unwrap();
        let letters = server.letters();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert!(letter.tls && letter.authenticated, "{letter:?}");
        assert_eq!(letter.from, "stella@example.com");
        assert_eq!(letter.to, ["oncall@example.com", "ops@example.com"]);
        for part in [
            "Auto-Submitted: auto-generated\r\n",
            "X-Stella-Event: inc.1\r\n",
            "Subject: =?utf-8?b?",
        ] {
            assert!(letter.text.contains(part), "{part}: {}", letter.text);
        }

        let wrong = send(&config(security.clone(), "wrong-password"))
            .await
            .unwrap_err();
        assert_eq!(wrong.class, Class::Misconfigured, "{wrong}");
        assert!(!wrong.message.contains("wrong-password"), "{wrong}");
        let security = match security {
            Security::StartTls(_) => Security::StartTls(client(&stranger.ca())),
            _ => Security::Implicit(client(&stranger.ca())),
        };
        let untrusted = send(&config(security, mail::PASSWORD)).await.unwrap_err();
        assert!(untrusted.message.contains("no CA in"), "{untrusted}");
        assert_eq!(server.letters().len(), 1);
    }
    let plain = MailServer::plain();
    let wanted = config(plain.port(), Security::StartTls(ours), None);
    let refused = send(&wanted).await.unwrap_err();
    assert_eq!(refused.class, Class::Misconfigured);
    assert!(refused.message.contains("STARTTLS"), "{refused}");
    assert!(plain.letters().is_empty());
}

/// Guarantees: a letter goes through the whole way, and one whose content a real server refuses is
/// a dead letter.
#[tokio::test]
async fn a_real_mail_server_behind_the_outbox() {
    let server = MailServer::plain();
    let mut site = Site::new(TargetKind::Smtp(config(
        server.port(),
        Security::Insecure,
        None,
    )));
    site.start();
    site.put(&event("refuse-me", "inc"));
    site.put(&event("2", "inc"));
    wait_for("the letter", || server.letters().len() == 1).await;
    wait_for("the dead letter", || site.list().dead.len() == 1).await;
    let text = &server.letters()[0].text;
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(!headers.contains("\r\nX-Evil"), "{headers}");
}

/// Guarantees: what a server says in the clear after it has agreed to STARTTLS is not taken for
/// what it says inside TLS.
#[tokio::test]
async fn nothing_is_smuggled_in_before_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"220 test\r\n").unwrap();
        lines.next();
        stream.write_all(b"250-test\r\n250 STARTTLS\r\n").unwrap();
        lines.next();
        stream.write_all(b"220 go\r\n250 smuggled\r\n").unwrap();
        std::thread::sleep(Duration::from_secs(1));
    });
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::root(&folder.path().join("site"));
    let security = Security::StartTls(client(&authority.ca()));
    let failure = send(&config(port, security, None)).await.unwrap_err();
    assert!(
        failure.message.contains("TLS handshake failed"),
        "{failure}"
    );
}

/// Guarantees: what is no address is refused, and no password is shown.
#[test]
fn addresses_are_checked() {
    for to in ["nobody", "a@b\r\nBcc: c@d", ""] {
        let mut config = config(25, Security::Insecure, login("hunter22hunter"));
        config.to = vec![to.to_owned()];
        assert!(Smtp::new(&config, &Connector::open()).is_err(), "{to:?}");
        assert!(!format!("{config:?}").contains("hunter22hunter"));
    }
}
