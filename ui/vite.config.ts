import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The worker that `npm run dev` shows: the mock of `npm run mock`, or a real one.
const worker = process.env.TRIBUTARY_WORKER ?? 'http://127.0.0.1:8099'
const proxied = ['/api', '/connectors', '/connector-plugins', '/admin', '/openapi.json', '/health']

export default defineConfig({
  base: '/ui/',
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // Every asset is a file of its own: `data:` addresses would need room in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { host: '127.0.0.1', proxy: Object.fromEntries(proxied.map((path) => [path, worker])) },
})
