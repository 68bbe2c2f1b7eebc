//! Configurations that load, and what becomes of them.

mod support;

use support::load;

#[test]
fn the_guides_own_file_loads() {
    let loaded = load(include_str!("data/guide.yml"))
        .map_err(|report| report.to_string())
        .unwrap();
    let config = &loaded.config;
    assert_eq!(
        (
            config.services.len(),
            config.routes.len(),
            config.targets.len(),
            config.plugins.len()
        ),
        (3, 3, 2, 2)
    );
    let service = &config.services[0];
    assert_eq!(
        (service.host.as_str(), service.port, service.retries),
        ("user-service", 3000, Some(3))
    );
    assert_eq!(config.routes[0].service, Some(service.id));
    for warning in &loaded.warnings {
        println!("{warning}");
    }
}
