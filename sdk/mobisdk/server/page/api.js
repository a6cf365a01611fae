// Requests to the server; the session is a cookie that no script can read.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const isJson = response.status !== 204 && (response.headers.get("Content-Type") ?? "").includes("json");
  const document = isJson ? await response.json() : null;
  if (!response.ok) throw new Refused(response.status, document?.detail ?? response.statusText);
  return document;
}
