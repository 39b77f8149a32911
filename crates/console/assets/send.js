// Sends a call of the API.

/**
 * Calls an operation. Returns the status, the body, and after how many seconds it can be called
 * again, if that is limited. A status of 0 means that nothing was sent. With `keepalive`, it is
 * sent even if the page is left.
 */
export async function send(method, path, version, body, keepalive = false) {
  const headers = { "Content-Type": "application/json" };
  if (version) headers["If-Match"] = version;
  try {
    const sent = { method, headers, keepalive, body: body && JSON.stringify(body) };
    const response = await fetch(path, sent);
    const wait = response.headers.get("Retry-After");
    return { status: response.status, wait, body: await response.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
}
