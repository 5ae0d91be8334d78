//! How a person reaches AWS: profiles of every kind, proxies, and places where nobody answers.
//!
//! A server of this test's own stands for single sign-on, STS and proxies, and remembers what it was asked.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SHA1_OF_CORP: &str = "ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
const CHECK: [&str; 4] = ["check", "logs", "--region", "eu-west-1"];

/// What was asked: the first line, who signed it, and the body.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    signed: String,
    body: String,
}

struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers each request as `answer` says of it: with a status and a body.
    fn start(answer: fn(&Asked) -> (u16, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = request(&stream) {
                    let (status, body) = answer(&request);
                    seen.lock().unwrap().push(request);
                    let length = body.len();
                    let _ = write!(
                        &stream,
                        "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                }
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Who asked STS who they are.
    fn signers(&self) -> Vec<String> {
        let asked = self.asked().into_iter();
        asked
            .filter(|asked| asked.body.contains("Action=GetCallerIdentity"))
            .map(|asked| asked.signed)
            .collect()
    }
}

fn request(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let (mut signed, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        let (name, value) = header.trim().split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "authorization" => signed = value.split("Credential=").nth(1)?.split('/').next()?.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line: line.trim().to_owned(),
        signed,
        body: String::from_utf8(body).ok()?,
    })
}

/// Nobody may look: so a run ends after the question who we are.
fn refusal() -> (u16, String) {
    let error = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    (403, error.to_owned())
}

/// A home with this configuration, and with no cache but the one of single sign-on.
fn home(name: &str, configuration: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("login").join(name);
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(home.join(".aws/sso/cache")).unwrap();
    fs::write(home.join(".aws/config"), configuration).unwrap();
    home
}

fn run(arguments: &[&str], home: &Path, variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_s3-replication-remediator"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[track_caller]
fn is_unreachable(output: &Output, told: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{err}");
    assert!(err.contains(told), "{err}");
}

#[test]
fn single_sign_on_gives_the_credentials_of_a_session() {
    let server = Server::start(|asked| match asked.line.contains("/federation/credentials") {
        true => {
            let body = r#"{"roleCredentials":{"accessKeyId":"ASIASINGLESIGNON","secretAccessKey":"s","sessionToken":"t","expiration":4102444800000}}"#;
            (200, body.to_owned())
        }
        false => refusal(),
    });
    let home = home(
        "sso",
        "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n\
         [profile dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Auditor\n",
    );
    let arguments = [&CHECK[..], &["--profile", "dev"]].concat();
    let url = server.url();
    let variables = [("AWS_ENDPOINT_URL", url.as_str())];
    // Nobody has logged in yet.
    is_unreachable(
        &run(&arguments, &home, &variables),
        "profile `dev` gives no credentials",
    );
    assert!(server.asked().is_empty());
    // The file that `aws sso login` leaves: its name is the SHA-1 of the session's.
    let token = r#"{"accessToken":"token","expiresAt":"2100-01-01T00:00:00Z","region":"eu-west-1","startUrl":"https://corp.awsapps.com/start"}"#;
    fs::write(home.join(".aws/sso/cache").join(SHA1_OF_CORP), token).unwrap();
    is_unreachable(&run(&arguments, &home, &variables), "AccessDenied");
    let asked = server.asked();
    assert!(
        asked[0]
            .line
            .starts_with("GET /federation/credentials?role_name=Auditor&account_id=111122223333 "),
        "{asked:?}"
    );
    assert_eq!(server.signers(), ["ASIASINGLESIGNON"]);
}

#[test]
fn a_profile_may_ask_a_program_and_chain_roles_and_goes_before_the_environment() {
    let server = Server::start(|asked| match asked.body.contains("Action=AssumeRole") {
        true => {
            let body = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIACHAINED</AccessKeyId>\
                        <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                        <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
            (200, body.to_owned())
        }
        false => refusal(),
    });
    let home = home(
        "chain",
        "[profile base]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIAPROGRAM\", \"SecretAccessKey\": \"s\"}'\n\
         [profile dev]\nsource_profile = base\nrole_arn = arn:aws:iam::111122223333:role/Auditor\n",
    );
    let url = server.url();
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    for (profile, signer) in [("base", "AKIAPROGRAM"), ("dev", "ASIACHAINED")] {
        let arguments = [&CHECK[..], &["--profile", profile]].concat();
        is_unreachable(&run(&arguments, &home, &variables), "AccessDenied");
        assert_eq!(
            server.signers().last().map(String::as_str),
            Some(signer),
            "{profile}"
        );
    }
    let assumed = server
        .asked()
        .into_iter()
        .find(|asked| asked.body.contains("Action=AssumeRole"));
    assert_eq!(assumed.unwrap().signed, "AKIAPROGRAM");
    is_unreachable(&run(&CHECK, &home, &variables), "AccessDenied");
    assert_eq!(
        server.signers().last().map(String::as_str),
        Some("AKIAENVIRONMENT")
    );
}

#[test]
fn proxies_of_the_environment_are_asked_but_where_they_are_not_wanted() {
    let home = home("proxy", "");
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")];
    let tried = |variables: &[(&str, &str)], arguments: &[&str]| {
        let server = Server::start(|_| refusal());
        let url = server.url();
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, if *value == "PROXY" { url.as_str() } else { value }))
            .chain(keys)
            .collect();
        let output = run(&[&CHECK[..], arguments].concat(), &home, &variables);
        assert_eq!(output.status.code(), Some(5));
        server
            .asked()
            .first()
            .map(|asked| asked.line.clone())
            .unwrap_or_default()
    };
    for name in ["HTTPS_PROXY", "https_proxy"] {
        assert_eq!(
            tried(&[(name, "PROXY")], &[]),
            "CONNECT sts.eu-west-1.amazonaws.com:443 HTTP/1.1"
        );
    }
    let plain = ["--endpoint-url", "http://emulator.example:4566"];
    assert_eq!(
        tried(&[("HTTP_PROXY", "PROXY")], &plain),
        "POST http://emulator.example:4566/ HTTP/1.1"
    );
    let around = ["--endpoint-url", "http://127.0.0.1:9"];
    assert_eq!(
        tried(&[("HTTP_PROXY", "PROXY"), ("NO_PROXY", "127.0.0.1")], &around),
        ""
    );
}

#[test]
fn where_nobody_answers_it_says_so_and_does_not_wait_for_ever() {
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let began = Instant::now();
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")];
    let output = run(
        &[&CHECK[..], &["--endpoint-url", &url]].concat(),
        &home("silent", ""),
        &keys,
    );
    is_unreachable(&output, "Timeout");
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}
