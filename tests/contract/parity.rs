//! The two schemas say the same.

use std::collections::BTreeMap;

use keyway_tests::database::Profile;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::world::World;

/// Per table, its columns, unique sets of columns and references, as sorted lines.
type Schema = BTreeMap<String, Vec<String>>;

fn portable(postgres_type: &str) -> &str {
    match postgres_type {
        "uuid" | "bytea" => "BLOB",
        "text" | "timestamp with time zone" | "jsonb" => "TEXT",
        "bigint" | "boolean" => "INTEGER",
        other => panic!("{other} is not a portable type"),
    }
}

async fn postgres(connection: &mut PgConnection) -> Schema {
    let mut schema = Schema::new();
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
         FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (table, column, kind, nullable) in columns {
        let kind = portable(&kind);
        let line = format!("column {column} {kind} null={}", nullable == "YES");
        schema.entry(table).or_default().push(line);
    }
    let indexes: Vec<(String, bool, bool, Vec<String>)> = sqlx::query_as(
        "SELECT t.relname::text, i.indisunique, i.indpred IS NOT NULL,
             ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY k (n, at)
                 JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.n ORDER BY k.at)
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
         WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (table, unique, partial, columns) in indexes {
        let line = format!(
            "index {} unique={unique} partial={partial}",
            columns.join(",")
        );
        schema.entry(table).or_default().push(line);
    }
    let references: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT t.relname::text, a.attname::text, r.relname::text, b.attname::text,
             CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
                 ELSE 'NO ACTION' END
         FROM pg_constraint c
             JOIN pg_class t ON t.oid = c.conrelid
             JOIN pg_class r ON r.oid = c.confrelid
             CROSS JOIN unnest(c.conkey, c.confkey) k (here, there)
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.here
             JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = k.there
         WHERE c.contype = 'f'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (table, column, other, there, on_delete) in references {
        let line = format!("reference {column} {other}.{there} {on_delete}");
        schema.entry(table).or_default().push(line);
    }
    schema
}

async fn sqlite(connection: &mut SqliteConnection) -> Schema {
    let mut schema = Schema::new();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
             AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for table in tables {
        let mut lines = Vec::new();
        let columns: Vec<(String, String, bool)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT name, type, \"notnull\" FROM pragma_table_info('{table}')"
        )))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        for (column, kind, required) in columns {
            lines.push(format!("column {column} {kind} null={}", !required));
        }
        let indexes: Vec<(String, bool, bool)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT name, \"unique\", partial FROM pragma_index_list('{table}')"
        )))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        for (index, unique, partial) in indexes {
            let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT name FROM pragma_index_info('{index}') ORDER BY seqno"
            )))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
            let columns = columns.join(",");
            lines.push(format!("index {columns} unique={unique} partial={partial}"));
        }
        let references: Vec<(String, String, String, String)> =
            sqlx::query_as(AssertSqlSafe(format!(
                "SELECT \"from\", \"table\", \"to\", on_delete FROM pragma_foreign_key_list('{table}')"
            )))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for (column, other, there, on_delete) in references {
            lines.push(format!("reference {column} {other}.{there} {on_delete}"));
        }
        schema.insert(table, lines);
    }
    schema
}

#[tokio::test]
async fn both_schemas_have_the_same_tables_columns_and_constraints() {
    let big = World::new(Profile::Production).await;
    let small = World::new(Profile::Embedded).await;
    let mut pg = PgConnection::connect(big.database.url()).await.unwrap();
    let mut lite = SqliteConnection::connect(small.database.url())
        .await
        .unwrap();
    let (mut expected, mut found) = (postgres(&mut pg).await, sqlite(&mut lite).await);
    for lines in expected.values_mut().chain(found.values_mut()) {
        lines.sort();
    }
    assert!(expected.len() > 15, "{expected:?}");
    assert_eq!(found, expected);

    // SQLite keeps the names of constraints only in the text of the tables.
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT conname::text FROM pg_constraint WHERE contype IN ('p', 'u')
             AND connamespace = 'public'::regnamespace AND conname NOT LIKE '\\_sqlx%'
         UNION SELECT indexname::text FROM pg_indexes
         WHERE schemaname = 'public' AND indexname NOT LIKE '\\_sqlx%'",
    )
    .fetch_all(&mut pg)
    .await
    .unwrap();
    let text: Vec<String> =
        sqlx::query_scalar("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            .fetch_all(&mut lite)
            .await
            .unwrap();
    let text = text.join("\n");
    for name in names {
        let present = text.split_whitespace().any(|word| word == name);
        assert!(present, "{name} has another name on SQLite");
    }
    big.close().await;
    small.close().await;
}
