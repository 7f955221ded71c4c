import { gzipSync } from 'node:zlib'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'

// The worker that `npm run dev` shows: the mock of `npm run mock`, or a real one.
const worker = process.env.TRIBUTARY_WORKER ?? 'http://127.0.0.1:8099'
const proxied = ['/api', '/connectors', '/connector-plugins', '/admin', '/openapi.json', '/health']

/** Puts a compressed form beside every file, so that the worker has nothing to compress. */
const packed: Plugin = {
  name: 'packed',
  generateBundle: {
    order: 'post',
    handler(_options, bundle) {
      for (const [name, file] of Object.entries(bundle)) {
        const text = file.type === 'chunk' ? file.code : file.source
        this.emitFile({ type: 'asset', fileName: `${name}.gz`, source: gzipSync(text, { level: 9 }) })
      }
    },
  },
}

export default defineConfig({
  base: '/ui/',
  plugins: [svelte(), packed],
  build: {
    target: 'es2022',
    // Every asset is a file of its own: `data:` addresses would need room in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // The alert rules lie beside this folder.
  server: { host: '127.0.0.1', fs: { allow: ['..'] }, proxy: Object.fromEntries(proxied.map((path) => [path, worker])) },
})
