//! What is in Redis.

use redis::{AsyncCommands, Client};

use crate::database::redis_url;

/// Every name below a prefix, with what it holds.
pub(super) async fn dump(prefix: &str) -> String {
    let client = Client::open(redis_url()).expect("an address");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("Redis answers");
    let names: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}*"))
        .query_async(&mut connection)
        .await
        .expect("names");
    let mut dump = String::new();
    for name in names {
        let kind: String = redis::cmd("TYPE")
            .arg(&name)
            .query_async(&mut connection)
            .await
            .expect("a type");
        let held: Vec<Vec<u8>> = match kind.as_str() {
            "string" => connection.get(&name).await.map(|text| vec![text]),
            "list" => connection.lrange(&name, 0, -1).await,
            "zset" => connection.zrange(&name, 0, -1).await,
            "hash" => {
                redis::cmd("HGETALL")
                    .arg(&name)
                    .query_async(&mut connection)
                    .await
            }
            "set" => connection.smembers(&name).await,
            // It ended meanwhile.
            "none" => Ok(Vec::new()),
            other => panic!("{name} is a {other}, which nobody looks into"),
        }
        .unwrap_or_default();
        dump.push_str(&name);
        for part in held {
            dump.push(' ');
            dump.push_str(&String::from_utf8_lossy(&part));
        }
        dump.push('\n');
    }
    dump
}
