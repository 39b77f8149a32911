// Calls operations of the API.

/** Calls an operation. Returns the status and the body; a status of 0 means that nothing was sent. */
export async function send(method, path, version, body) {
  const headers = { "Content-Type": "application/json" };
  if (version) headers["If-Match"] = version;
  try {
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    return { status: response.status, body: await response.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
}
