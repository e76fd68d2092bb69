// Runs every audit of graphql-http against URL with TOKEN and prints what each one found, as JSON.
import { serverAudits } from 'graphql-http';

const fetchFn = (url, init = {}) =>
  fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${process.env.TOKEN}` } });

const found = [];
for (const audit of serverAudits({ url: process.env.URL, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  found.push({ id, name, status, reason });
}
console.log(JSON.stringify(found));
