//! Who tells names to what runs inside of the image: a DNS server on loopback, where this machine lets us have one, else a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::HOST;

/// An address that nobody else listens on; `/etc/resolv.conf` can name no port but 53.
const SERVER: &str = "127.0.0.153";

/// How long a message's header is, in bytes, and what a question begins after (RFC 1035, 4.1).
const HEADER: usize = 12;

/// A server that knows one name, and its one address, 127.0.0.1.
pub struct Names {
    asked: Arc<AtomicU32>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}

impl Names {
    /// Listens, if it may.
    pub async fn serve() -> anyhow::Result<Names> {
        let asked = Arc::new(AtomicU32::new(0));
        let socket = match UdpSocket::bind((SERVER, 53)).await {
            Ok(socket) => socket,
            Err(error) => {
                println!("names come from a file, not from DNS: {SERVER}:53: {error}");
                return Ok(Names { asked, task: None });
            }
        };
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Some(answer) = buffer.get(..length).and_then(answer) else {
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                drop(socket.send_to(&answer, from).await);
            }
        });
        Ok(Names { asked, task: Some(task) })
    }

    /// Has what runs in this folder ask it, as a kubelet would.
    pub fn told_to(&self, root: &Path) -> anyhow::Result<()> {
        let (file, text) = if self.task.is_some() {
            ("etc/resolv.conf", format!("nameserver {SERVER}\n"))
        } else {
            ("etc/hosts", format!("127.0.0.1 {HOST}\n"))
        };
        Ok(std::fs::write(root.join(file), text)?)
    }

    /// It was asked, if anybody could.
    pub fn was_asked(&self) {
        assert!(
            self.task.is_none() || self.asked.load(Ordering::Relaxed) > 0,
            "nobody asked for a name"
        );
    }
}

/// The answer to a question: the address for an A of the one name, nothing for its AAAA, and no such name for all others.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let (name, end) = name_at(query, HEADER)?;
    let question = query.get(HEADER..end + 4)?;
    let kind = u16::from_be_bytes(question.get(question.len() - 4..question.len() - 2)?.try_into().ok()?);
    let (known, address) = (name == HOST, name == HOST && kind == 1);
    let mut answer = query.get(..2)?.to_vec();
    // An answer by who knows; and 3 is "no such name".
    answer.extend([0x84, if known { 0 } else { 3 }]);
    answer.extend([0, 1, 0, u8::from(address), 0, 0, 0, 0]);
    answer.extend(question);
    if address {
        // The name of the question, A, IN, a minute, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// The name that stands there, and where it ends.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        let label = message.get(at + 1..=at + length)?;
        at += 1 + length;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
}

#[test]
fn a_question_for_another_name_is_answered_and_one_cut_short_is_not() {
    let query = |name: &str, kind: u8| {
        let mut query = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.extend([0, 0, kind, 0, 1]);
        query
    };
    let told = answer(&query(HOST, 1)).unwrap();
    assert_eq!((&told[..4], &told[told.len() - 4..]), (&[7, 7, 0x84, 0][..], &[127, 0, 0, 1][..]));
    assert_eq!(answer(&query(HOST, 28)).unwrap()[3..8], [0, 0, 1, 0, 0], "it has no other address");
    assert_eq!(answer(&query("vc2.example", 1)).unwrap()[3], 3);
    let whole = query(HOST, 1);
    assert!((0..whole.len()).all(|length| answer(&whole[..length]).is_none()));
}
