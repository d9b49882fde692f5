//! A Redis command over a plain connection.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use url::Url;

use super::services::redis_url;

/// Sends one command to the shared Redis and gives the first line of its answer.
pub async fn command(arguments: &[&str]) -> String {
    use std::fmt::Write as _;

    let url = Url::parse(&redis_url()).expect("URL of Redis");
    let host = url.host_str().expect("host of Redis");
    let port = url.port().expect("port of Redis");
    let mut request = format!("*{}\r\n", arguments.len());
    for argument in arguments {
        write!(request, "${}\r\n{argument}\r\n", argument.len()).expect("write to a string");
    }
    let mut stream = BufReader::new(TcpStream::connect((host, port)).await.expect("connect"));
    stream.write_all(request.as_bytes()).await.expect("send");
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("receive");
    line.trim_end().to_owned()
}
