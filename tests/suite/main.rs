//! What every provider must do, written once and run for each of them against its stand-in, on both
//! profiles: over the API, with the real engine.
//!
//! No behaviour asks which provider it has. What one cannot do is in its capabilities, and the behaviour
//! says what follows from that instead.

#![cfg(test)]

mod behaviours;
mod stage;
mod world;

/// Runs behaviours for each provider on each profile.
macro_rules! for_every_provider {
    ($($name:ident),+ $(,)?) => {
        $crate::for_every_provider!(@of vercel Vercel { $($name),+ });
        $crate::for_every_provider!(@of netlify Netlify { $($name),+ });
        $crate::for_every_provider!(@of railway Railway { $($name),+ });
        $crate::for_every_provider!(@of fly Fly { $($name),+ });
    };
    (@of $module:ident $provider:ident { $($name:ident),+ }) => {
        mod $module {
            mod embedded {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let world = $crate::world::World::start(
                        keyway_tests::database::Profile::Embedded,
                        keyway_shared::domain::connection::ProviderName::$provider,
                    );
                    super::super::$name(world.await).await;
                })+
            }
            mod production {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let world = $crate::world::World::start(
                        keyway_tests::database::Profile::Production,
                        keyway_shared::domain::connection::ProviderName::$provider,
                    );
                    super::super::$name(world.await).await;
                })+
            }
        }
    };
}
pub(crate) use for_every_provider;
