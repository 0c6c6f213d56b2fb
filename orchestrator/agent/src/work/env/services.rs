//! Variables that name the services that a container can reach.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::resources::SERVICES;
use coracle_client::{View, object};

use super::Variables;

/// The variables of the API's own service, and of those of the namespace if `links` are wanted.
pub(super) fn variables(view: &View, namespace: &str, links: bool) -> Variables {
    const API: (&str, &str) = ("default", "kubernetes");
    let mut services: Vec<Arc<Value>> = view.get(&SERVICES, API.0, API.1).into_iter().collect();
    if links {
        // The namespace's own service takes the place of the API's if it has the same name.
        services.extend(view.list(&SERVICES, namespace));
    }
    let mut variables = Variables::new();
    for service in &services {
        let ip = service.text_at(&["spec", "clusterIP"]);
        if !ip.is_empty() && ip != "None" {
            add(&mut variables, service, ip);
        }
    }
    variables
}

fn add(variables: &mut Variables, service: &Value, ip: &str) {
    let prefix = upper(object::name(service));
    let ports = object::items(service, &["spec", "ports"]);
    let mut set = |name: String, value: String| variables.insert(name, value);
    set(format!("{prefix}_SERVICE_HOST"), ip.to_owned());
    for (at, port) in ports.iter().enumerate() {
        let number = object::int(port, &["port"], 0);
        let name = port.text_at(&["name"]);
        if at == 0 {
            set(format!("{prefix}_SERVICE_PORT"), number.to_string());
        }
        if !name.is_empty() {
            set(format!("{prefix}_SERVICE_PORT_{}", upper(name)), number.to_string());
        }
        let protocol = Some(port.text_at(&["protocol"])).filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
        let lower = protocol.to_lowercase();
        let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
        let url = format!("{lower}://{host}:{number}");
        if at == 0 {
            set(format!("{prefix}_PORT"), url.clone());
        }
        let start = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
        set(format!("{start}_PROTO"), lower);
        set(format!("{start}_PORT"), number.to_string());
        set(format!("{start}_ADDR"), ip.to_owned());
        set(start, url);
    }
}

fn upper(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}
