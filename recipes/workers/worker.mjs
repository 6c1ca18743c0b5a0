// The module worker around the host: a bundler gives it `Host`, and Cloudflare gives it `env`.
export function worker(Host) {
  let host; // One for all requests of an isolate.
  return {
    fetch(request, env) {
      host ??= new Host(env.SITE_A_SECRET);
      return host.fetch(request);
    },
  };
}
