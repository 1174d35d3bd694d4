//! The admin API: requests about incidents in, answers out. HTTP's words, but no sockets.
//!
//! BOUNDED: a body has at most [`MAX_BODY`] bytes, a list at most 5000 incidents. Answers say
//! `no-store`; errors are problems (RFC 9457).

mod alertmanager;
mod call;
mod openapi;
mod problem;
mod shapes;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;

use crate::access::{Access, Peer};
use crate::incident::{IncidentId, Key, Open, Origin, Refusal, Scope, State};
use crate::register::{Opened, Register};
use call::{Call, Verb, bad_query, json, no_page, not_allowed};
pub use openapi::document;
pub use problem::Problem;
pub use shapes::{
    ChangeRequest, Closing, IncidentView, ListView, Mode, ModeRequest, ModeView, OpenRequest,
    Releasing, TimelineView,
};

/// The largest body of a request.
pub const MAX_BODY: usize = 256 << 10;
/// Where incidents are.
const ROOT: &str = "/telemetry/incidents";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The most incidents in a list.
const MAX_LIST: usize = 5000;
const DEFAULT_LIST: usize = 100;

/// Answers requests.
pub struct Api {
    register: Register,
    access: Access,
}

type Answer = Result<Response<Bytes>, Problem>;

impl Api {
    /// An API over `register`, for whom `access` lets in.
    pub fn new(register: Register, access: Access) -> Api {
        Api { register, access }
    }

    /// Lets a request in by its head, or says why not. What it returns goes to [`answer`](Self::answer).
    ///
    /// # Errors
    /// The answer, if it is not let in.
    pub fn admit(&self, head: &Parts, peer: &Peer) -> Result<String, Response<Bytes>> {
        self.access.admit(&head.headers, peer).map_err(|denied| {
            tracing::warn!(
                target: "audit",
                peer = %peer.addr,
                path = head.uri.path(),
                reason = denied.code(),
                "a request to the admin port was refused"
            );
            self.refuse(denied.into())
        })
    }

    /// The answer to a request whose body could not be had.
    pub fn refuse_body(&self, status: StatusCode) -> Response<Bytes> {
        let text = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than 256 KiB",
            StatusCode::REQUEST_TIMEOUT => "the body came too slowly",
            _ => "the body could not be read",
        };
        self.refuse(Problem::new(status, "bad-body", text))
    }

    /// Answers a request of `actor`. It may block on the disk.
    pub fn answer(
        &self,
        head: &Parts,
        body: &[u8],
        actor: &str,
        now: Timestamp,
    ) -> Response<Bytes> {
        let call = Call {
            head,
            body,
            actor,
            now,
        };
        self.route(&call)
            .unwrap_or_else(|problem| self.refuse(problem))
    }

    fn refuse(&self, problem: Problem) -> Response<Bytes> {
        self.register.count_refused(problem.code());
        let mut response = json(problem.status(), &problem);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if problem.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn route(&self, call: &Call<'_>) -> Answer {
        let path = call.head.uri.path();
        if path == "/openapi.json" {
            return match call.method() {
                Verb::Get => Ok(json(StatusCode::OK, &document())),
                _ => Ok(not_allowed("GET, HEAD")),
            };
        }
        let Some(rest) = path.strip_prefix(ROOT) else {
            return Err(no_page());
        };
        match (rest, call.method()) {
            ("" | "/", Verb::Get) => self.list(call),
            ("" | "/", Verb::Post) => self.open(call),
            ("" | "/", _) => Ok(not_allowed("GET, HEAD, POST")),
            ("/mode", Verb::Get) => Ok(json(StatusCode::OK, &self.mode())),
            ("/mode", Verb::Post) => self.set_mode(call),
            ("/mode", _) => Ok(not_allowed("GET, HEAD, POST")),
            ("/alertmanager", Verb::Post) => alertmanager::answer(&self.register, call),
            ("/alertmanager", _) => Ok(not_allowed("POST")),
            (rest, verb) => {
                let name = rest.strip_prefix('/').ok_or_else(no_page)?;
                let (name, timeline) = match name.strip_suffix("/timeline") {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                let id: IncidentId = name.parse().map_err(|_| Refusal::Unknown)?;
                match (verb, timeline) {
                    (Verb::Get, false) => self.show(call, &id),
                    (Verb::Get, true) => self.timeline(&id),
                    (Verb::Patch, false) => self.change(call, &id),
                    (_, false) => Ok(not_allowed("GET, HEAD, PATCH")),
                    (_, true) => Ok(not_allowed("GET, HEAD")),
                }
            }
        }
    }

    fn list(&self, call: &Call<'_>) -> Answer {
        let (mut state, mut most) = (None, DEFAULT_LIST);
        let query = call.head.uri.query().unwrap_or_default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (&*key, &*value) {
                ("state", "open") => state = Some(State::Open),
                ("state", "closed") => state = Some(State::Closed),
                ("limit", number) => {
                    let number = number.parse().ok().filter(|n| (1..=MAX_LIST).contains(n));
                    most = number.ok_or_else(|| bad_query("`limit` goes from 1 to 5000"))?;
                }
                ("state", _) => return Err(bad_query("`state` is `open` or `closed`")),
                _ => return Err(bad_query("the parameters are `state` and `limit`")),
            }
        }
        let found = self.register.list(state, most).into_iter();
        let incidents = found.map(IncidentView::of).collect();
        Ok(json(StatusCode::OK, &ListView { incidents }))
    }

    fn open(&self, call: &Call<'_>) -> Answer {
        let asked: OpenRequest = call.json()?;
        let key = call.head.headers.get(IDEMPOTENCY_KEY);
        let key = key
            .map(|key| key.to_str().map_err(|_| Refusal::BadKey))
            .transpose()?;
        let opened = self.open_as_asked(asked, key, call)?;
        Ok(self.opened(opened))
    }

    fn open_as_asked(
        &self,
        asked: OpenRequest,
        key: Option<&str>,
        call: &Call<'_>,
    ) -> Result<Opened, Problem> {
        let scope: Scope = asked.scope.parse().map_err(Refusal::Scope)?;
        let config = self.register.config();
        let (ttl, lookback) = (
            asked.ttl.unwrap_or(config.ttl),
            asked.lookback.unwrap_or(config.lookback),
        );
        // What a key stands for: all that was asked, in one way of writing it.
        let same = serde_json::to_vec(&OpenRequest {
            scope: scope.to_string(),
            ..asked.clone()
        });
        let key = key
            .map(|key| Key::new(key, &same.unwrap_or_default()).ok_or(Refusal::BadKey))
            .transpose()?;
        let open = Open {
            scope,
            reason: asked.reason,
            by: call.actor(asked.by.as_deref())?,
            approved_by: asked.approved_by,
            origin: Origin::Request,
            ttl: ttl.0,
            lookback: lookback.0,
            key,
        };
        Ok(self.register.open(open, call.now, |_| Ok(None))?)
    }

    fn opened(&self, opened: Opened) -> Response<Bytes> {
        let status = if opened.fresh {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        let location = format!("{ROOT}/{}", opened.incident.id);
        let budget = self.register.config().disk_budget.0;
        let mut response = json(
            status,
            &IncidentView::of(opened.incident).with(opened.estimate, budget),
        );
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    fn show(&self, call: &Call<'_>, id: &IncidentId) -> Answer {
        let incident = self.register.get(id).ok_or(Refusal::Unknown)?;
        let open = incident.is_open();
        let estimate = self.register.estimate(&incident, call.now);
        let view = IncidentView::of(incident);
        let budget = self.register.config().disk_budget.0;
        Ok(json(
            StatusCode::OK,
            &if open {
                view.with(estimate, budget)
            } else {
                view
            },
        ))
    }

    fn timeline(&self, id: &IncidentId) -> Answer {
        let incident = self.register.get(id).ok_or(Refusal::Unknown)?;
        let timeline = incident.timeline.into_iter().map(Into::into).collect();
        Ok(json(
            StatusCode::OK,
            &TimelineView {
                id: incident.id.to_string(),
                timeline,
            },
        ))
    }

    fn change(&self, call: &Call<'_>, id: &IncidentId) -> Answer {
        let asked: ChangeRequest = call.json()?;
        let by = call.actor(asked.by.as_deref())?;
        let note = asked.note.as_deref();
        let (register, now) = (&self.register, call.now);
        let asked = (
            asked.ttl,
            asked.state,
            asked.hold,
            asked.captured.as_deref(),
        );
        let incident = match asked {
            (Some(ttl), None, None, None) => register.extend(id, ttl.0, &by, note, now)?,
            (None, Some(Closing::Closed), None, None) => register.close(id, &by, note, now)?,
            (None, None, Some(Releasing::Released), None) => register.release(id, &by, now)?,
            (None, None, None, Some(manifest)) => register.captured(id, manifest, &by, now)?,
            _ => {
                let text = "a change is exactly one of `ttl`, `state`, `hold` and `captured`";
                return Err(Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "bad-change",
                    text,
                ));
            }
        };
        Ok(json(StatusCode::OK, &IncidentView::of(incident)))
    }

    fn mode(&self) -> ModeView {
        let mut open = self.register.list(Some(State::Open), MAX_LIST).into_iter();
        let found = open.rfind(|known| known.origin == Origin::Mode);
        ModeView {
            mode: if found.is_some() { Mode::On } else { Mode::Off },
            incident: found.map(IncidentView::of),
        }
    }

    fn set_mode(&self, call: &Call<'_>) -> Answer {
        let asked: ModeRequest = call.json()?;
        let by = call.actor(asked.by.as_deref())?;
        let config = self.register.config();
        if asked.mode == Mode::Off {
            let open = self.register.list(Some(State::Open), MAX_LIST).into_iter();
            let mut closed = None;
            for known in open.filter(|known| known.origin == Origin::Mode) {
                closed =
                    Some(
                        self.register
                            .close(&known.id, &by, asked.reason.as_deref(), call.now)?,
                    );
            }
            let incident = closed.map(IncidentView::of);
            return Ok(json(
                StatusCode::OK,
                &ModeView {
                    mode: Mode::Off,
                    incident,
                },
            ));
        }
        let open = Open {
            scope: Scope::all(),
            reason: asked
                .reason
                .unwrap_or_else(|| "incident mode was switched on".to_owned()),
            by,
            approved_by: None,
            origin: Origin::Mode,
            ttl: config.ttl.0,
            lookback: config.lookback.0,
            key: None,
        };
        let opened = self.register.open(open, call.now, |incidents| {
            let mut all = incidents.values();
            let on = all.find(|known| known.is_open() && known.origin == Origin::Mode);
            Ok(on.map(|known| known.id.clone()))
        })?;
        let budget = config.disk_budget.0;
        let incident = IncidentView::of(opened.incident).with(opened.estimate, budget);
        let view = ModeView {
            mode: Mode::On,
            incident: Some(incident),
        };
        Ok(json(StatusCode::OK, &view))
    }
}
