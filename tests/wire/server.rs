//! A web server that answers from a closure, and the program's AWS pointed at it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use s3_replication_remediator::arn::AccountId;
use s3_replication_remediator::aws::{Aws, MemberRole};
use s3_replication_remediator::source::{BucketAt, Reader};

pub(crate) const OWN: &str = "111122223333";
pub(crate) const TRUSTED: &str = "444455556666";

/// What came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `ACCESS-KEY/DATE/REGION/SERVICE/aws4_request`, as the signature says.
    fn scope(&self, part: usize) -> &str {
        let (_, rest) = self
            .header("authorization")
            .split_once("Credential=")
            .unwrap_or_default();
        rest.split(['/', ',']).nth(part).unwrap_or_default()
    }

    pub(crate) fn access_key(&self) -> &str {
        self.scope(0)
    }

    pub(crate) fn region(&self) -> &str {
        self.scope(2)
    }

    /// `s3 GET ?replication`, `kms DescribeKey`, `iam GetRole`, …
    pub(crate) fn call(&self) -> String {
        let service = self.scope(3);
        if let Some((_, operation)) = self.header("x-amz-target").split_once('.') {
            return format!("{service} {operation}");
        }
        if let Some(action) = self.form("Action") {
            return format!("{service} {action}");
        }
        let (_, query) = self.target.split_once('?').unwrap_or_default();
        let subresource = query.split(['&', '=']).next().unwrap_or_default();
        format!("{service} {} ?{subresource}", self.method)
    }

    /// A field of a form, still percent-encoded.
    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        let mut fields = self.body.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What goes back.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

/// Nothing: the connection is closed.
pub(crate) fn silence() -> Response {
    answer(0, "")
}

/// An error as S3 writes it.
pub(crate) fn s3_error(status: u16, code: &str) -> Response {
    answer(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>no</Message></Error>"
        ),
    )
}

/// An error as IAM, STS and SNS write it.
pub(crate) fn query_error(status: u16, code: &str) -> Response {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>no\n</Message></Error>");
    answer(
        status,
        format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"),
    )
}

/// An error as KMS writes it.
pub(crate) fn json_error(status: u16, code: &str) -> Response {
    answer(status, format!(r#"{{"__type":"{code}","message":"no"}}"#))
}

/// An answer of IAM, STS or SNS.
pub(crate) fn query_answer(action: &str, result: &str) -> Response {
    answer(
        200,
        format!(
            "<{action}Response><{action}Result>{result}</{action}Result>\
             <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

/// The server, and what it was asked.
#[derive(Debug)]
pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers every request but GetCallerIdentity, which is answered with our account, by the closure.
    pub(crate) fn start(reply: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
        };
        let requests = Arc::clone(&server.requests);
        let reply = Arc::new(reply);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, reply) = (Arc::clone(&requests), Arc::clone(&reply));
                std::thread::spawn(move || serve(stream, &requests, &*reply));
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// All requests so far but GetCallerIdentity.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.requests().iter().map(Request::call).collect()
    }

    /// AWS as this server is; who we are has been asked.
    pub(crate) async fn aws(&self) -> Aws {
        self.aws_with(None).await
    }

    /// The same, where member roles ask for an external id.
    pub(crate) async fn aws_with(&self, external_id: Option<&str>) -> Aws {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&self.address)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("OWN", "secret", None, None, "test"))
            .region(Region::new("eu-west-1"))
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Duration::from_millis(1)),
            )
            .load()
            .await;
        let member_role = MemberRole {
            name: "reader".to_owned(),
            external_id: external_id.map(str::to_owned),
        };
        let aws = Aws::from_config(config, Some(member_role)).unwrap();
        aws.identity().await.unwrap();
        aws.take_calls();
        aws
    }
}

fn serve(stream: TcpStream, requests: &Mutex<Vec<Request>>, reply: &dyn Fn(&Request) -> Response) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let response = if request.form("Action") == Some("GetCallerIdentity") {
            let arn = format!("arn:aws:sts::{OWN}:assumed-role/remediator/session");
            query_answer(
                "GetCallerIdentity",
                &format!("<Arn>{arn}</Arn><Account>{OWN}</Account>"),
            )
        } else {
            requests.lock().unwrap().push(request.clone());
            reply(&request)
        };
        if response.status == 0 {
            return;
        }
        let mut text = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        if request.method != "HEAD" {
            text += &response.body;
        }
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        target,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

/// Our own bucket `logs`, believed to lie in eu-west-1.
pub(crate) fn bucket() -> BucketAt {
    BucketAt {
        name: "logs".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        owner: account(OWN),
        reader: Reader::Own,
    }
}

pub(crate) fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}
