//! What a client can do to a connection, byte by byte. Nothing here reaches the database, so one
//! profile is enough. Nothing is timed: limits are short, and each test waits for what they lead to.

use std::time::Duration;

use keyway_shared::config::ConnectionLimits;
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_hours(1);
const ALIVE: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
/// The longest of our answers that nobody has to be signed in for.
const LONGEST: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn start(change: impl FnOnce(&mut ConnectionLimits)) -> TestApp {
    let mut builder = TestApp::builder(Profile::Embedded);
    let limits = &mut builder.options.connections;
    *limits = ConnectionLimits {
        most: 100,
        header_timeout: LONG,
        body_timeout: LONG,
        unread_timeout: LONG,
        idle_timeout: LONG,
    };
    change(limits);
    builder.start().await
}

/// A bare connection.
struct Wire(TcpStream);

impl Wire {
    async fn open(app: &TestApp) -> Self {
        Self(TcpStream::connect(app.address).await.expect("connects"))
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("sends");
    }

    /// What comes until the other side ends the connection, in whatever way.
    async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes).await;
        bytes
    }

    /// What comes until it bears a text; all of it when that does not come.
    async fn until(&mut self, text: &str) -> String {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains(text) {
            if self.0.read_buf(&mut bytes).await.unwrap_or_default() == 0 {
                break;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One request, and whether it was answered. Of the answer, a JSON object, nothing is left to read.
    async fn lives(&mut self) -> bool {
        let sent = self.0.write_all(ALIVE.as_bytes()).await;
        sent.is_ok() && self.until("}").await.starts_with("HTTP/1.1 200")
    }
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The preface, and settings of ours.
fn hello(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    [PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat()
}

/// GET of a path, in the words of HPACK's static table.
fn request(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    let length = u8::try_from(path.len()).expect("short");
    // GET, http, :path, :authority.
    let mut block = vec![0x82, 0x86, 0x44, length];
    block.extend(path.as_bytes());
    block.extend([0x41, 1, b'x']);
    frame(HEADERS, flags, stream, &block)
}

/// The frames in what came: kind, stream, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let number = |part: &[u8]| part.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let Some((payload, rest)) = rest.split_at_checked(number(&head[..3]) as usize) else {
            break;
        };
        frames.push((head[3], number(&head[5..9]), payload));
        bytes = rest;
    }
    frames
}

/// The error that the other side named when it ended the connection.
fn farewell(bytes: &[u8]) -> Option<u8> {
    let frames = frames(bytes);
    let mut ends = frames.iter().filter(|(kind, ..)| *kind == GO_AWAY);
    ends.find_map(|(_, _, payload)| payload.get(7)).copied()
}

#[tokio::test]
async fn a_header_that_does_not_end_is_cut_off() {
    let app = start(|limits| limits.header_timeout = SHORT).await;
    for begun in [
        "",
        "G",
        "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ",
        "PRI * HTTP/2.0\r\n",
    ] {
        let mut wire = Wire::open(&app).await;
        wire.send(begun).await;
        assert_eq!(wire.rest().await, b"", "{begun:?}");
    }
    // One byte after the other does not help.
    let mut wire = Wire::open(&app).await;
    while wire.0.write_all(b"a").await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Between two requests nothing is owed; within the next one it is.
    let mut wire = Wire::open(&app).await;
    assert!(wire.lives().await);
    wire.send("GET /").await;
    assert_eq!(wire.rest().await, b"");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_cut_off() {
    let app = start(|limits| limits.body_timeout = SHORT).await;
    let account = app.account("ada").await;
    for framing in ["content-length: 100", "transfer-encoding: chunked"] {
        let mut wire = Wire::open(&app).await;
        let head = format!(
            "POST /v1/vaults HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{framing}\r\n\r\n",
            account.token
        );
        wire.send(head).await;
        let answer = wire.until("in time").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(
            answer.contains("The body did not arrive in time"),
            "{answer}"
        );
    }
    // Forms, which nobody needs a credential for.
    for path in [
        "/v1/auth/device/verify",
        "/v1/auth/sign-in",
        "/v1/integrations/vercel/authorize",
    ] {
        let mut wire = Wire::open(&app).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: 100\r\n\r\n"
        );
        wire.send(head).await;
        let answer = wire.until("</html>").await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_connection_without_requests_ends() {
    let app = start(|limits| limits.idle_timeout = SHORT).await;
    let mut wire = Wire::open(&app).await;
    assert!(wire.lives().await);
    assert_eq!(wire.rest().await, b"");

    let mut wire = Wire::open(&app).await;
    wire.send(hello(&[])).await;
    wire.send(request(1, "/healthz", END_STREAM | END_HEADERS))
        .await;
    assert_eq!(farewell(&wire.rest().await), Some(0));
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_cut_off() {
    const WINDOW: u16 = 4;
    let app = start(|limits| limits.unread_timeout = SHORT).await;
    // More than all buffers on the way hold, and none of it is read: in the end nothing can be sent.
    let mut wire = Wire::open(&app).await;
    while wire.0.write_all(LONGEST.as_bytes()).await.is_ok() {}

    // In HTTP/2 the client says how much it takes of each answer: nothing, of all of them.
    let mut wire = Wire::open(&app).await;
    wire.send(hello(&[(WINDOW, 0)])).await;
    wire.send(request(1, "/openapi.json", END_STREAM | END_HEADERS))
        .await;
    let came = wire.rest().await;
    let came = frames(&came);
    let data = came.iter().filter(|(kind, ..)| *kind == 0).count();
    assert_eq!(
        (came.iter().any(|(kind, ..)| *kind == HEADERS), data),
        (true, 0)
    );

    let metrics = app.anonymous().get("/metrics").await.text;
    assert!(
        metrics.contains("keyway_connections_cut_total{by=\"unread\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn long_answers_arrive_whole() {
    let app = start(|_| {}).await;
    let answer = app.anonymous().get("/docs/swagger-ui-bundle.js").await;
    let length: usize = answer.header("content-length").parse().expect("a number");
    assert_eq!(answer.text.len(), length);
    assert!(length > 1 << 20, "{length} bytes are one part or few");
}

#[tokio::test]
async fn there_is_room_for_so_many_connections() {
    let app = start(|limits| limits.most = 4).await;
    // Half of them for one address.
    let (mut first, mut second) = (Wire::open(&app).await, Wire::open(&app).await);
    assert!(first.lives().await && second.lives().await);
    assert!(!Wire::open(&app).await.lives().await);
    drop(first);
    while !Wire::open(&app).await.lives().await {}

    // All of them for a proxy of the operator's, and then whoever comes waits.
    let mut builder = TestApp::builder(Profile::Embedded);
    builder.options.connections.most = 2;
    builder.options.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let app = builder.start().await;
    let (mut first, mut second) = (Wire::open(&app).await, Wire::open(&app).await);
    assert!(first.lives().await && second.lives().await);
    let mut third = Wire::open(&app).await;
    third.send(ALIVE).await;
    assert!(first.lives().await && second.lives().await);
    let nothing = third.0.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(nothing, Err(std::io::ErrorKind::WouldBlock));
    drop(second);
    assert!(third.until("\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn addresses_and_headers_have_bounds() {
    let app = start(|_| {}).await;
    let get = async |path: &str, headers: &str| {
        let mut wire = Wire::open(&app).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n"))
            .await;
        let answer = wire.until("\r\n\r\n").await;
        answer.lines().next().unwrap_or_default().to_owned()
    };
    let fields = |number: usize| "x-a: b\r\n".repeat(number);
    assert_eq!(get("/healthz", &fields(99)).await, "HTTP/1.1 200 OK");
    let too_large = "HTTP/1.1 431 Request Header Fields Too Large";
    assert_eq!(get("/healthz", &fields(100)).await, too_large);
    let long = format!("x-a: {}\r\n", "b".repeat(70_000));
    assert_eq!(get("/healthz", &long).await, too_large);
    let path = format!("/healthz?{}", "a".repeat(16_000));
    assert_eq!(get(&path, "").await, "HTTP/1.1 200 OK");
    let path = format!("/healthz?{}", "a".repeat(16_400));
    assert_eq!(get(&path, "").await, "HTTP/1.1 414 URI Too Long");
    for hosts in ["", "host: y\r\nhost: x\r\n"] {
        let mut wire = Wire::open(&app).await;
        wire.send(format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n"))
            .await;
        let answer = wire.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let nowhere = path.replace("healthz", "nowhere");
    let answer = app.anonymous().get(&nowhere).await;
    answer.problem(414, "uri-too-long");
}

#[tokio::test]
async fn http2_has_bounds_of_its_own() {
    const MOST_STREAMS: u16 = 3;
    const HEADER_LIST: u16 = 6;
    const ENHANCE_YOUR_CALM: u8 = 11;
    let app = start(|limits| limits.idle_timeout = SHORT).await;
    let mut wire = Wire::open(&app).await;
    wire.send(hello(&[])).await;
    wire.send(request(1, "/healthz", END_STREAM | END_HEADERS))
        .await;
    let came = wire.rest().await;
    let settings = frames(&came)[0].2.chunks(6).map(|setting| {
        let (name, value) = setting.split_at(2);
        let value = value
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        (u16::from_be_bytes([name[0], name[1]]), value)
    });
    let settings: Vec<_> = settings.collect();
    assert!(settings.contains(&(MOST_STREAMS, 200)), "{settings:?}");
    assert!(settings.contains(&(HEADER_LIST, 64 << 10)), "{settings:?}");

    // Requests that are taken back at once are work all the same.
    let mut wire = Wire::open(&app).await;
    let mut rapid = hello(&[]);
    for stream in (1..2_000).step_by(2) {
        rapid.extend(request(stream, "/healthz", END_STREAM | END_HEADERS));
        rapid.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
    }
    let _ = wire.0.write_all(&rapid).await;
    assert_eq!(farewell(&wire.rest().await), Some(ENHANCE_YOUR_CALM));

    // A header that goes on for ever.
    let mut wire = Wire::open(&app).await;
    let mut endless = hello(&[]);
    endless.extend(request(1, "/healthz", END_STREAM));
    // x-a: and as much as a frame may hold.
    let mut field = vec![0, 3, b'x', b'-', b'a', 0x7f, 0x81, 0x1f];
    field.resize(field.len() + 4_096, b'b');
    for _ in 0..1_000 {
        endless.extend(frame(CONTINUATION, 0, 1, &field));
    }
    let _ = wire.0.write_all(&endless).await;
    let came = wire.rest().await;
    let answered = frames(&came).iter().any(|(kind, ..)| *kind == HEADERS);
    assert!(!answered && farewell(&came).is_some(), "{came:?}");

    // More header fields than HTTP/1.1 may have.
    let mut wire = Wire::open(&app).await;
    let mut many = hello(&[]);
    let mut block = vec![0x82, 0x86, 0x44, 8];
    block.extend(b"/healthz");
    for _ in 0..101 {
        block.extend([0, 3, b'x', b'-', b'a', 1, b'b']);
    }
    many.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
    wire.send(many).await;
    let answer = String::from_utf8_lossy(&wire.rest().await).into_owned();
    assert!(answer.contains("header-too-large"), "{answer}");
}
