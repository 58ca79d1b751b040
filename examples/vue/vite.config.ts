import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

const client = fileURLToPath(new URL('../../internal/web/page/tickertape.js', import.meta.url));
const hub = process.env.HUB ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [vue()],
  // The very file that every hub serves at /tickertape.js.
  resolve: { alias: { tickertape: client } },
  server: { fs: { allow: ['.', client] }, proxy: { '/events': hub } },
  preview: { proxy: { '/events': hub } },
});
