//! The rival: nginx with one worker, answering the same bytes out of its configuration.

use std::fs;
use std::net::SocketAddr;

use support::process::Process;
use support::scratch::Scratch;

use crate::Result;
use crate::load::Tools;
use crate::pod::free_address;

#[derive(Debug)]
pub(crate) struct Nginx {
    _process: Process,
    _scratch: Scratch,
    pub pid: u32,
    pub address: SocketAddr,
}

impl Nginx {
    /// Answers every request with this body, and the headers that ours has.
    pub(crate) async fn start(tools: &Tools, body: &str) -> Result<Self> {
        let scratch = Scratch::new("irsa-sidecar-nginx")?;
        let address = free_address()?;
        let configuration = scratch.path().join("nginx.conf");
        fs::write(&configuration, text(address, &scratch.path().to_string_lossy(), body))?;
        let configuration = configuration.to_string_lossy().into_owned();
        let mut process = Process::start(&tools.nginx, &["-c", &configuration], [] as [(&str, &str); 0])?;
        process.status(address, "/", 200).await?;
        let pid = process.id().ok_or("nginx ended at once")?;
        Ok(Self { _process: process, _scratch: scratch, pid, address })
    }
}

fn text(address: SocketAddr, directory: &str, body: &str) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid {directory}/pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_timeout 75s; keepalive_requests 1000000000; server_tokens off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{
        listen {address} backlog=1024;
        location / {{
            default_type application/json;
            add_header Cache-Control no-store;
            return 200 '{body}';
        }}
    }}
}}
"
    )
}
