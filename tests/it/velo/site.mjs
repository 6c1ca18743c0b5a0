// Stands in for a Wix site under Node: imports of `backend/…` come from examples/velo, and those of `wix-…` from stand_ins.mjs.

import { register } from 'node:module';

const hooks = `
  const stands = ${JSON.stringify(new URL('stand_ins.mjs', import.meta.url).href)};
  const backend = ${JSON.stringify(new URL('../../../examples/velo/', import.meta.url).href)};
  let site;

  export const initialize = (data) => { site = data.site; };

  export async function resolve(specifier, context, next) {
    if (specifier.startsWith('wix-')) return { url: stands, shortCircuit: true };
    if (specifier.startsWith('backend/')) {
      return { url: new URL(specifier.slice('backend/'.length), backend).href, format: 'module', shortCircuit: true };
    }
    return next(specifier, context);
  }

  // What the README asks for: the placeholder becomes the site's own domain. The tests have no https.
  export async function load(url, context, next) {
    const loaded = await next(url, url.startsWith(backend) ? { ...context, format: 'module' } : context);
    if (!url.startsWith(backend)) return loaded;
    const source = String(loaded.source).replaceAll('https://www.YOURSITE.com', 'http://' + site).replaceAll('www.YOURSITE.com', site);
    return { ...loaded, source };
  }
`;

/** From now on, this process is a site whose domain is `site`. */
export function become(site) {
  register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data: { site } });
}
