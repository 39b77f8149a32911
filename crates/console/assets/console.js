// What every page runs.

import "./act.js";
import "./keys.js";
import "./live.js";
