import { h } from 'preact';
h;
