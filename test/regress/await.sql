-- Waits until the condition is met, 60 s at most, in transactions of its own.
CREATE PROCEDURE await(condition text) LANGUAGE plpgsql AS $$
DECLARE
    met bool;
BEGIN
    FOR attempt IN 1 .. 3000 LOOP
        EXECUTE 'SELECT ' || condition INTO met;
        EXIT WHEN met;
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
    IF NOT met THEN
        RAISE WARNING 'not met: %', condition;
    END IF;
END
$$;
