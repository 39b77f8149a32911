-- Nothing: PostgreSQL gathers the statistics of its planner itself.
SELECT 1;
