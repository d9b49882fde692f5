//! Statements written in SQL that diesel prepares once and caches, like those of its DSL.
//!
//! For what the DSL cannot say: several tables changed by one statement. `{name}` in the text is a bind value.

/// Declares a statement: its bind values with their SQL types, and its text.
macro_rules! statement {
    ($(#[$meta:meta])* $name:ident { $($field:ident : $rust:ty => $sql:ty),* $(,)? } $text:literal) => {
        $(#[$meta])*
        pub(crate) struct $name {
            $(pub(crate) $field: $rust,)*
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                let mut rest: &str = $text;
                while let Some((sql, tail)) = rest.split_once('{') {
                    out.push_sql(sql);
                    let (field, after) = tail.split_once('}').unwrap_or((tail, ""));
                    match field {
                        $(stringify!($field) => out.push_bind_param::<$sql, $rust>(&self.$field)?,)*
                        _ => return Err(diesel::result::Error::QueryBuilderError(
                            concat!("unknown bind value in ", stringify!($name)).into(),
                        )),
                    }
                    rest = after;
                }
                out.push_sql(rest);
                Ok(())
            }
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::RunQueryDsl<diesel::PgConnection> for $name {}
    };
}

pub(crate) use statement;
