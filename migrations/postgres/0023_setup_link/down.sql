DROP TABLE setup_link;
