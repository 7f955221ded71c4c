//! A herder whose topics, coordinator and links are played.
